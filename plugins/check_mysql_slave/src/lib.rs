//! Says whether a MySQL or MariaDB replica follows its sources: every channel or named
//! connection in one run, over both vocabularies and never by a version number.

pub mod advice;
pub mod judge;
pub mod options;
mod probe;
pub mod replica;
pub mod state;

use clap::Parser;
use common::cli::{MysqlArgs, RunArgs, TemporaryArgs, UsageError};
use common::net::{Deadline, ProbeError};
use common::plugin::{Plugin, Run};
use common::report::{Condition, Metric, Report, State, StateTable};

use options::{CompareArgs, ExpectArgs, LagArgs};
pub use probe::Seen;

/// Says whether a MySQL or MariaDB replica follows its sources, and what to do when it does not
#[derive(Parser, Debug)]
#[command(name = "check_mysql_slave", version)]
pub struct CheckMysqlSlave {
    #[command(flatten)]
    server: MysqlArgs,
    #[command(flatten)]
    lag: LagArgs,
    #[command(flatten)]
    expect: ExpectArgs,
    #[command(flatten)]
    compare: CompareArgs,
    #[command(flatten)]
    temporary: TemporaryArgs,
    #[command(flatten)]
    run: RunArgs,
}

impl Plugin for CheckMysqlSlave {
    const NAME: &'static str = "check_mysql_slave";
    const METRICS: &'static [Metric] = judge::METRICS;
    const CONDITIONS: &'static [(Condition, State)] = &[(Condition::Certificate, State::Unknown)];
    const STATES: &'static [(State, &'static str)] = &[
        (State::Ok, "every channel receives and applies, and none lags"),
        (State::Warning, "lag (-w), a silent link, lag NULL, clocks that differ (--max-skew)"),
        (
            State::Warning,
            "read_only off, errant transactions by origin, skip counter, UNTIL, filters, no semi-sync",
        ),
        (State::Warning, "a thread stopped as --allow-stopped has it; a link lost for less than 30 s"),
        (
            State::Critical,
            "a thread stopped or not connected, no replica (--not-replica), lag (-c), a silent link",
        ),
        (
            State::Critical,
            "a full disk of the relay logs, statements that hang, errant transactions beside --source",
        ),
        (State::Critical, "other channels or sources than expected, a delay below --min-delay"),
        (State::Critical, "no connection, too many connections, host blocked; timeout (--timeout-state)"),
        (
            State::Unknown,
            "login refused, privilege missing, TLS or certificate (--ssl-critical), wrong options",
        ),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        (
            "check_mysql_slave -H db2.example.org -u monitor --password-file /etc/vedette/mysql.pw",
            "A replica over the network",
        ),
        (
            "check_mysql_slave --defaults-file /etc/vedette/db2.cnf -w 30 -c 120",
            "Server, user and password from an option file, with limits on the lag",
        ),
    ];
    // The client makes room for as many columns as the server announces.
    const MOST_MEMORY: Option<u64> = Some(256 << 20);
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        self.server.target()
    }

    fn temporary_state(&self) -> Option<State> {
        self.temporary.temporary_state
    }

    fn states(&self) -> StateTable {
        let mut states = self.common_states();
        self.server.adjust(&mut states);
        states
    }

    fn check_options(&self) -> Result<(), UsageError> {
        self.server.check()?;
        self.lag.check()?;
        self.expect.check(&self.compare)
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        let login = self.server.login(Self::NAME)?;
        probe::probe(self, &login, deadline)
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        let mut report = judge::judge(&seen.replica, &options::wanted(&self.lag, &self.expect), run);
        for note in &seen.notes {
            report.note("connection", note.clone());
        }
        report.context(1, format!("{}, asked by {}", seen.server, seen.statement));
        report
    }
}
