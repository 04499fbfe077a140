//! The name of an address, by the system's resolver.
#![expect(unsafe_code, reason = "getnameinfo(3) has no safe form in std")]

use std::ffi::{CStr, c_char};
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc;
use std::thread;

use common::net::Deadline;
use socket2::SockAddr;

/// The longest name that the resolver gives: NI_MAXHOST.
const LONGEST: usize = 1025;

/// The name of an address; `None` when it has none or the deadline comes first.
///
/// The look-up runs in a thread of its own, because getnameinfo knows no deadline.
pub(super) fn name_of(ip: IpAddr, deadline: &Deadline) -> Option<String> {
    // An answer may come in no time at all.
    deadline.remaining().ok()?;
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("resolver".into())
        .stack_size(256 * 1024)
        // The receiver is gone when the deadline passed; nobody wants the answer then.
        .spawn(move || drop(sender.send(look_up(ip))))
        .ok()?;
    receiver.recv_timeout(deadline.left()).ok()?
}

fn look_up(ip: IpAddr) -> Option<String> {
    let address = SockAddr::from(SocketAddr::new(ip, 0));
    let mut name: [c_char; LONGEST] = [0; LONGEST];
    let length = libc::socklen_t::try_from(name.len()).ok()?;
    // SAFETY: both pointers come with the lengths of what they point to, which lives over the call; a null service
    // of length 0 is allowed.
    let result = unsafe {
        libc::getnameinfo(
            address.as_ptr().cast(),
            address.len(),
            name.as_mut_ptr(),
            length,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if result != 0 {
        return None;
    }
    // SAFETY: the array was zero, and the call ends what it writes with a zero.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    name.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn by_the_hosts_file() {
        let deadline = Deadline::new(Instant::now(), Duration::from_secs(5));
        let name = name_of("127.0.0.1".parse().unwrap(), &deadline);
        assert!(name.is_some_and(|name| name.starts_with("localhost")));
    }

    #[test]
    fn a_passed_deadline() {
        let passed = Deadline::new(Instant::now(), Duration::ZERO);
        assert_eq!(name_of("127.0.0.1".parse().unwrap(), &passed), None);
    }
}
