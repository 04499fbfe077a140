//! The general log of a server, from which a test counts what a plugin asked.

use std::collections::HashMap;

/// The statements of a user's sessions, in order.
pub(crate) fn statements_of(log: &str, user: &str) -> Vec<String> {
    let mut users = HashMap::new();
    let mut statements = Vec::new();
    let mut is_ours = false;
    for line in log.lines() {
        let Some((thread, command, argument)) = parse(line) else {
            // A statement of several lines goes on.
            if let Some(statement) = statements.last_mut().filter(|_| is_ours) {
                *statement = format!("{statement}\n{line}");
            }
            continue;
        };
        if command == "Connect" {
            let name = argument.split('@').next().unwrap_or_default();
            users.insert(thread, name.to_owned());
        }
        is_ours = command == "Query" && users.get(&thread).is_some_and(|known| known == user);
        if is_ours {
            statements.push(argument.to_owned());
        }
    }
    statements
}

/// `TIME<TAB>   ID COMMAND<TAB>ARGUMENT`, where MariaDB leaves out a time that is that of the line above.
fn parse(line: &str) -> Option<(u32, &str, &str)> {
    let (_, rest) = line.split_once('\t')?;
    let (middle, argument) = rest.trim_start_matches('\t').split_once('\t')?;
    let (thread, command) = middle.trim_start().split_once(' ')?;
    Some((thread.parse().ok()?, command, argument))
}

#[cfg(test)]
mod tests {
    use super::statements_of;

    #[test]
    fn only_the_statements_of_that_user() {
        let log = "Version: 1\nTime\t\t    Id Command\tArgument\n\
                   261121 21:22:00\t     3 Connect\tmonitor@127.0.0.1 on  using TCP/IP\n\
                   \t\t     3 Query\tSELECT 'a\tb',\n 2\n\
                   \t\t     4 Connect\troot@localhost on  using Socket\n\
                   \t\t     4 Query\tSELECT 3\n\
                   2026-11-21T21:22:00.123456Z\t     3 Query\tSHOW REPLICA STATUS\n\
                   \t\t     3 Quit\t\n";
        assert_eq!(statements_of(log, "monitor"), ["SELECT 'a\tb',\n 2", "SHOW REPLICA STATUS"]);
        assert_eq!(statements_of(log, "root"), ["SELECT 3"]);
        assert!(statements_of(log, "nobody").is_empty());
    }
}
