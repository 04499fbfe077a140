use std::collections::VecDeque;
use std::net::Ipv4Addr;

use clap::Parser as _;

use super::*;
use crate::CheckArpDupes;
use crate::frame::arp_question;

/// A network of one host that answers questions about its address, and of what else is put into it.
#[derive(Default)]
struct Fake {
    sent: Vec<(Duration, Vec<u8>)>,
    queue: VecDeque<Vec<u8>>,
    last: Vec<u8>,
    answers_for: Option<(Ipv4Addr, Mac)>,
    fails: Option<io::ErrorKind>,
    breaks: bool,
    dropped: u32,
    started: Option<Instant>,
}

impl Wire for Fake {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        if let Some(kind) = self.fails {
            return Err(kind.into());
        }
        let since = self.started.get_or_insert_with(Instant::now).elapsed();
        self.sent.push((since, frame.to_vec()));
        if let (Some((ip, mac)), Some(Frame { message: Message::Probe { ip: asked, .. }, .. })) =
            (self.answers_for, parse_frame(frame))
            && asked == IpAddr::from(ip)
        {
            self.queue.push_back(reply(ip, mac));
        }
        Ok(())
    }

    fn receive(&mut self, time: Duration) -> io::Result<Option<&[u8]>> {
        assert!(!self.breaks, "as a program error would");
        match self.queue.pop_front() {
            Some(frame) => {
                self.last = frame;
                Ok(Some(&self.last))
            }
            None => {
                thread::sleep(time);
                Ok(None)
            }
        }
    }

    fn dropped(&mut self) -> io::Result<u32> {
        Ok(self.dropped)
    }
}

fn reply(ip: Ipv4Addr, mac: Mac) -> Vec<u8> {
    let mut frame = arp_question(mac, ip, Ipv4Addr::new(10, 0, 0, 9));
    frame[21] = 2;
    frame
}

const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn run(fake: &mut Fake, plan: &Plan, words: &[&str], limit: Duration) -> Heard {
    let check = CheckArpDupes::try_parse_from(["check_arp_dupes"].iter().chain(words)).unwrap();
    hear(fake, plan, &check.look, &Deadline::new(Instant::now(), limit))
}

fn sweep(network: &str) -> Plan {
    Plan { sweeps: vec![network.parse().unwrap()], ..Plan::default() }
}

const LONG: Duration = Duration::from_secs(20);
/// Two questions can be asked at one a second.
const SHORT: Duration = Duration::from_millis(1600);

#[test]
fn a_sweep_asks_the_silent_again_and_keeps_its_pace() {
    let mut fake = Fake { answers_for: Some((HOST, MAC)), dropped: 3, ..Fake::default() };
    let words = ["--sweep", "10.0.0.0/29", "--rate", "200", "--window", "100ms"];
    let heard = run(&mut fake, &sweep("10.0.0.0/29"), &words, LONG);
    assert_eq!((heard.probes, heard.unsent, heard.dropped), (8 + 7, 0, 3));
    assert_eq!(heard.claims.len(), 1);
    assert_eq!((heard.claims[0].ip, heard.claims[0].mac, heard.claims[0].replies), (HOST.into(), MAC, 1));
    let spent = fake.sent.last().unwrap().0;
    assert!(spent >= Duration::from_millis(65), "15 frames at 200 a second in {spent:?}");
    assert!(heard.seconds >= 0.16, "{}", heard.seconds);
}

#[test]
fn a_fast_sweep_is_fast() {
    let mut fake = Fake::default();
    let words = ["--sweep", "10.0.0.0/20", "--rate", "20000", "--window", "1ms", "--retries", "0"];
    let heard = run(&mut fake, &sweep("10.0.0.0/20"), &words, LONG);
    assert_eq!(heard.probes, 4096);
    let spent = fake.sent.last().unwrap().0.as_secs_f64();
    assert!((0.18..1.5).contains(&spent), "{spent}");
}

#[test]
fn the_deadline_ends_everything_and_what_was_not_asked_is_counted() {
    let started = Instant::now();
    let words = ["--sweep", "10.0.0.0/24", "--rate", "10", "--window", "9"];
    let heard = run(&mut Fake::default(), &sweep("10.0.0.0/24"), &words, Duration::from_millis(600));
    assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
    assert!(heard.probes >= 3 && heard.unsent > 200, "{} {}", heard.probes, heard.unsent);
    let trouble = heard.trouble.unwrap();
    assert!(trouble.starts_with("the timeout came 9") && trouble.ends_with("s before the end of the window"));
}

/// Three addresses to ask for, one by one.
fn three() -> Plan {
    let targets = [1, 2, 3].map(|last| Ipv4Addr::new(10, 0, 0, last).into()).to_vec();
    Plan { targets, ..Plan::default() }
}

#[test]
fn only_who_was_asked_for_is_listed() {
    let plan = three();
    let mut fake = Fake::default();
    let heard = run(&mut fake, &plan, &["--verify", "--rate", "1", "--window", "1ms"], SHORT);
    assert_eq!((heard.probes, heard.unsent), (2, 7), "at 0 s and at 1 s");
    assert_eq!(heard.asked, plan.targets[..2]);
    let heard = run(&mut fake, &plan, &["--verify", "--rate", "1", "--window", "1ms"], Duration::ZERO);
    assert_eq!((heard.probes, heard.unsent, heard.asked), (0, 9, Vec::new()));
    let mut down = Fake { fails: Some(io::ErrorKind::NetworkDown), ..Fake::default() };
    let heard = run(&mut down, &plan, &["--verify", "--window", "1ms"], LONG);
    assert_eq!((heard.unsent, heard.asked), (9, Vec::new()));
}

#[test]
fn a_later_round_is_no_burst() {
    let mut fake = Fake::default();
    let heard = run(&mut fake, &three(), &["--verify", "--window", "1ms"], LONG);
    assert_eq!((heard.probes, &heard.trouble), (9, &None));
    assert_eq!(heard.asked, three().targets);
    for pair in fake.sent.windows(3) {
        let gap = pair[2].0.saturating_sub(pair[0].0);
        assert!(gap >= Duration::from_millis(150), "10 a second, not {gap:?} for two");
    }
}

#[test]
fn what_cannot_be_sent_is_told() {
    let mut fake = Fake { fails: Some(io::ErrorKind::NetworkDown), ..Fake::default() };
    let heard = run(&mut fake, &sweep("10.0.0.0/30"), &["--sweep", "10.0.0.0/30", "--window", "1ms"], LONG);
    assert_eq!((heard.probes, heard.unsent), (0, 8));
    assert!(heard.send_error.is_some());
}

#[test]
fn a_thread_that_broke_off_is_no_silence() {
    let mut fake = Fake { breaks: true, ..Fake::default() };
    let broken = thread::scope(|scope| {
        ended(scope.spawn(|| run(&mut fake, &Plan::default(), &["--listen", "1ms"], LONG)).join())
    });
    assert_eq!(broken.trouble.as_deref(), Some("an error of this program"));
    let mut fake = Fake::default();
    let whole = thread::scope(|scope| {
        ended(scope.spawn(|| run(&mut fake, &Plan::default(), &["--listen", "1ms"], LONG)).join())
    });
    assert!(whole.trouble.is_none() && whole.seconds >= 0.001, "{whole:?}");
}

#[test]
fn announcements_echoes_and_senders_that_cannot_be() {
    let ours = Mac([2, 0, 0, 0, 0, 9]);
    let queue = (0..30)
        .map(|_| reply(Ipv4Addr::new(10, 0, 0, 7), MAC))
        .chain([reply(HOST, ours), reply(HOST, Mac::ZERO), vec![0; 60], Vec::new()])
        .collect();
    let mut fake = Fake { queue, ..Fake::default() };
    let plan = Plan { own_macs: vec![ours], ..Plan::default() };
    let heard = run(&mut fake, &plan, &["--listen", "50ms"], LONG);
    assert_eq!((heard.frames, heard.claims.len(), heard.claims[0].replies), (34, 1, 30));
    assert_eq!(heard.announcers, [Announcer { mac: MAC, most_in_a_second: 30 }]);
    assert_eq!(heard.unusable.len(), 1);
    assert_eq!(heard.probes, 0);
}
