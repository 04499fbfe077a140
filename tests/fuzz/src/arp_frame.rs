//! Frames of ARP and neighbour discovery: any bytes say something about who has an address or nothing, and what they say
//! stands in them.
//!
//! Input: the frame.

use check_arp_dupes::fuzz::{FrameMessage, parse_frame};

/// The target.
pub fn run(data: &[u8]) {
    let Some(frame) = parse_frame(data) else { return };
    assert_eq!(frame.destination.0, data[..6]);
    assert_eq!(frame.source.0, data[6..12]);
    match &frame.message {
        FrameMessage::Claim(claim) => {
            assert!(!claim.ip.is_unspecified() && !claim.ip.is_multicast());
            assert!(holds(data, &claim.mac.0), "the claimant stands in the frame");
        }
        FrameMessage::Probe { mac, .. } => assert!(holds(data, &mac.0)),
        FrameMessage::Advertisement(said) => {
            assert!(said.router.is_unicast_link_local());
            assert!(said.prefixes.len() <= 32);
            assert!(said.prefixes.iter().all(|(_, bits)| *bits <= 128));
        }
    }
    // Ethernet pads short frames; that must change nothing.
    let padded: Vec<u8> = data.iter().copied().chain([0; 8]).collect();
    assert_eq!(parse_frame(&padded), Some(frame));
}

fn holds(data: &[u8], part: &[u8]) -> bool {
    data.windows(part.len()).any(|window| window == part)
}
