//! The filter of the socket, in the kernel's own code: ARP and neighbour discovery of others, and nothing else.
//!
//! It is attached before the socket is bound, so that not one unrelated frame takes room in the queue. It looks at the
//! Ethernet type because the library binds the socket to all protocols.

use socket2::SockFilter;

// Classic BPF: what a code does, and on what.
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const AND: u16 = 0x54;
const JUMP_IF: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Where the kernel keeps what is not in the frame (linux/filter.h): SKF_AD_OFF.
const BESIDE: u32 = 0xffff_f000;
const PACKET_TYPE: u32 = BESIDE + 4;
const VLAN_TAG: u32 = BESIDE + 44;
const VLAN_TAG_PRESENT: u32 = BESIDE + 48;

/// Frames of our own: PACKET_OUTGOING.
const OUTGOING: u32 = 4;
const ARP: u32 = 0x0806;
const IPV6: u32 = 0x86dd;
const ICMPV6: u32 = 58;

const ETHERNET_TYPE: u32 = 12;
const NEXT_HEADER: u32 = 14 + 6;
const ICMPV6_TYPE: u32 = 14 + 40;

/// Longer than any frame.
const WHOLE: u32 = 0x4_0000;

/// Code, instructions to leave out if equal, if not, and what it is about.
type Instruction = (u16, u8, u8, u32);

const PROGRAM: [Instruction; 19] = [
    (LOAD_BYTE, 0, 0, PACKET_TYPE),
    (JUMP_IF, 16, 0, OUTGOING),
    // A tag the kernel took off: the frame is of another network, unless it only has a priority.
    (LOAD_BYTE, 0, 0, VLAN_TAG_PRESENT),
    (JUMP_IF, 3, 0, 0),
    (LOAD_HALF, 0, 0, VLAN_TAG),
    (AND, 0, 0, 0x0fff),
    (JUMP_IF, 0, 11, 0),
    (LOAD_HALF, 0, 0, ETHERNET_TYPE),
    (JUMP_IF, 8, 0, ARP),
    (JUMP_IF, 0, 8, IPV6),
    (LOAD_BYTE, 0, 0, NEXT_HEADER),
    (JUMP_IF, 0, 6, ICMPV6),
    (LOAD_BYTE, 0, 0, ICMPV6_TYPE),
    (JUMP_IF, 3, 0, 134),
    (JUMP_IF, 2, 0, 135),
    (JUMP_IF, 1, 0, 136),
    (JUMP_IF, 1, 1, 0),
    (RETURN, 0, 0, WHOLE),
    (RETURN, 0, 0, 0),
];

/// The filter.
pub(super) fn filter() -> [SockFilter; PROGRAM.len()] {
    PROGRAM.map(|(code, if_so, if_not, operand)| SockFilter::new(code, if_so, if_not, operand))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same machine in a few lines, to see where the jumps lead.
    fn passes(frame: &[u8], packet_type: u32, tag: Option<u16>) -> bool {
        let rules = [
            (LOAD_BYTE, PACKET_TYPE, packet_type),
            (LOAD_BYTE, VLAN_TAG_PRESENT, u32::from(tag.is_some())),
            (LOAD_HALF, VLAN_TAG, u32::from(tag.unwrap_or_default())),
        ];
        let (mut at, mut value) = (0, 0);
        loop {
            let (code, if_so, if_not, operand) = PROGRAM[at];
            at += 1;
            match code {
                LOAD_BYTE | LOAD_HALF => {
                    let beside = rules.iter().find(|rule| (rule.0, rule.1) == (code, operand));
                    let position = operand as usize;
                    value = match beside {
                        Some(rule) => rule.2,
                        None if code == LOAD_BYTE => match frame.get(position) {
                            Some(byte) => u32::from(*byte),
                            None => return false,
                        },
                        None => match frame.get(position..position + 2) {
                            Some(pair) => u32::from(u16::from_be_bytes([pair[0], pair[1]])),
                            None => return false,
                        },
                    };
                }
                AND => value &= operand,
                JUMP_IF => at += usize::from(if value == operand { if_so } else { if_not }),
                RETURN => return operand > 0,
                _ => unreachable!(),
            }
        }
    }

    fn frame(ethernet_type: u16, next_header: u8, icmp: u8) -> Vec<u8> {
        let mut bytes = vec![0; 60];
        bytes[12..14].copy_from_slice(&ethernet_type.to_be_bytes());
        (bytes[20], bytes[54]) = (next_header, icmp);
        bytes
    }

    #[test]
    fn what_passes() {
        let arp = frame(0x0806, 0, 0);
        assert!(passes(&arp, 0, None));
        assert!(passes(&arp, 1, None), "broadcast");
        assert!(!passes(&arp, 4, None), "our own");
        assert!(!passes(&arp, 0, Some(10)), "of another network");
        assert!(passes(&arp, 0, Some(0x6000)), "priority alone");
        for icmp in 134..=136 {
            assert!(passes(&frame(0x86dd, 58, icmp), 0, None), "{icmp}");
        }
        for (ethernet_type, next_header, icmp) in
            [(0x86dd, 58, 133), (0x86dd, 58, 128), (0x86dd, 17, 135), (0x0800, 58, 135), (0x8100, 0, 0)]
        {
            assert!(!passes(&frame(ethernet_type, next_header, icmp), 0, None), "{ethernet_type:x} {icmp}");
        }
    }
}
