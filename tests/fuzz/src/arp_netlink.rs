//! What the kernel tells of neighbours, routes, links and addresses: any bytes give bounded messages, and what was read
//! of a beginning stays so when more comes.
//!
//! Input: what was read from the socket.

use check_arp_dupes::fuzz::parse_messages;

/// The target.
pub fn run(data: &[u8]) {
    let whole = parse_messages(data);
    // A route of several gateways has one of at least 16 bytes for each.
    assert!(whole.all.len() <= data.len() / 16 + 1);
    assert!(whole.error.is_none() || whole.is_done);
    // Cut at a message's end, nothing of those before changes.
    let cut = data.len() / 2 / 4 * 4;
    let part = parse_messages(&data[..cut]);
    assert!(part.all.len() <= whole.all.len());
    assert_eq!(part.all[..], whole.all[..part.all.len()]);
}
