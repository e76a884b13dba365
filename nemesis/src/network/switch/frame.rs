//! What the switch has to know of a frame, and what it may do to one.
//!
//! A frame is as `AF_PACKET` gives it with `PACKET_VNET_HDR`: a header by which the kernel tells what was left to
//! the network card (checksums, segmentation: a frame may hold 64 KiB), then Ethernet, then IPv4. Everything of a
//! frame comes from outside: what is too short or unknown is `None`, never a panic.

use std::net::Ipv4Addr;

/// The length of `struct virtio_net_hdr`.
pub(super) const KERNEL_HEADER: usize = 10;
const ETHERNET: usize = 14;
const IP: usize = KERNEL_HEADER + ETHERNET;
/// The largest frame: an IPv4 packet with what stands before it.
pub(super) const LENGTH_MAX: usize = IP + 65_535;

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const TCP: u8 = 6;
const TCP_LENGTH: usize = 20;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// Where a frame comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A question after a hardware address, or the answer.
    Arp { to: Ipv4Addr },
    /// An IPv4 packet.
    Ip { from: Ipv4Addr, to: Ipv4Addr },
}

fn bytes<const N: usize>(frame: &[u8], at: usize) -> Option<[u8; N]> {
    frame.get(at..at + N)?.try_into().ok()
}

/// What it is; `None` for what has no place in this network.
pub(super) fn kind(frame: &[u8]) -> Option<Kind> {
    match bytes::<2>(frame, IP - 2)? {
        ETHERTYPE_IPV4 => Some(Kind::Ip {
            from: bytes::<4>(frame, IP + 12)?.into(),
            to: bytes::<4>(frame, IP + 16)?.into(),
        }),
        ETHERTYPE_ARP => Some(Kind::Arp {
            to: bytes::<4>(frame, IP + 24)?.into(),
        }),
        _ => None,
    }
}

/// The bytes of the IP header that can be spoilt without the packet being taken for another kind of packet
/// before its checksum is looked at: its number, its time to live, the checksum itself.
const SPOILABLE: [usize; 5] = [4, 5, 8, 10, 11];

/// Flips a bit of the IP header. Of all checksums that is the one which is always computed between virtual
/// cards, so it is what makes sure that the packet is dropped and never delivered spoilt.
pub(super) fn spoil(frame: &mut [u8], choice: u32) {
    let at = IP + SPOILABLE[choice as usize / 8 % SPOILABLE.len()];
    if let Some(byte) = frame.get_mut(at) {
        *byte ^= 1 << (choice % 8);
    }
}

/// What becomes of a frame over a link that refuses.
pub(super) enum Refusal {
    /// It is dropped; this goes to its sender: a reset.
    Answered(Vec<u8>),
    /// It is dropped.
    Silent,
    /// It is a reset itself, which has to get through, or neither side ever hears of one.
    Passes,
}

/// Refuses a packet as a host does on which nobody listens (RFC 9293, 3.10.7.1).
pub(super) fn refuse(frame: &[u8]) -> Refusal {
    let Some((ip_header, tcp)) = tcp(frame) else {
        return Refusal::Silent;
    };
    let flags = tcp[13];
    if flags & RST != 0 {
        return Refusal::Passes;
    }
    let number = |at: usize| u32::from_be_bytes([tcp[at], tcp[at + 1], tcp[at + 2], tcp[at + 3]]);
    let (sequence, acknowledged, reset_flags) = if flags & ACK != 0 {
        (number(8), 0, RST)
    } else {
        let total = usize::from(u16::from_be_bytes([frame[IP + 2], frame[IP + 3]]));
        let data = total.saturating_sub(ip_header + usize::from(tcp[12] >> 4) * 4);
        let length = data + usize::from(flags & SYN != 0) + usize::from(flags & FIN != 0);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        (0, number(4).wrapping_add(length), RST | ACK)
    };
    let (from, to) = (&frame[IP + 12..IP + 16], &frame[IP + 16..IP + 20]);
    let mut segment = Vec::with_capacity(TCP_LENGTH);
    segment.extend([&tcp[2..4], &tcp[..2]].concat());
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledged.to_be_bytes());
    // Five words long, no window, no checksum yet, nothing urgent.
    segment.extend([0x50, reset_flags, 0, 0, 0, 0, 0, 0]);
    let pseudo_header = [to, from, &[0, TCP, 0, 20]].concat();
    let checksum = checksum(&[pseudo_header, segment.clone()].concat());
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    Refusal::Answered([back(frame, from, to), segment].concat())
}

/// The IP header's length, and the segment behind it, if it is TCP.
fn tcp(frame: &[u8]) -> Option<(usize, &[u8])> {
    let header = usize::from(frame.get(IP)? & 0x0f) * 4;
    let segment = frame.get(IP + header..)?;
    let is_tcp = header >= 20 && *frame.get(IP + 9)? == TCP && segment.len() >= TCP_LENGTH;
    is_tcp.then_some((header, segment))
}

/// The headers, down to that of IP, of a bare TCP segment that goes back where the frame came from.
fn back(frame: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (to_card, from_card) = (&frame[KERNEL_HEADER..][..6], &frame[KERNEL_HEADER + 6..][..6]);
    let mut ip = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, TCP, 0, 0];
    ip.extend([to, from].concat());
    let checksum = checksum(&ip);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    [&[0; KERNEL_HEADER], from_card, to_card, &ETHERTYPE_IPV4[..], &ip].concat()
}

/// The checksum of IP and TCP (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !(u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A TCP packet from 10.77.0.1 to 10.77.0.2 with four bytes of data.
    pub(in crate::network::switch) fn tcp_frame(flags: u8) -> Vec<u8> {
        let mut frame = vec![0; KERNEL_HEADER];
        frame.extend([2; 6]);
        frame.extend([1; 6]);
        frame.extend(ETHERTYPE_IPV4);
        frame.extend([
            0x45, 0, 0, 44, 0, 7, 0, 0, 64, TCP, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2,
        ]);
        frame.extend([
            0x9c, 0x40, 0x1b, 0x58, 0, 0, 1, 0, 0, 0, 2, 0, 0x50, flags, 0, 0, 0, 0, 0, 0,
        ]);
        frame.extend(b"data");
        frame
    }

    #[test]
    fn a_frame_says_whence_and_whither_and_a_stump_says_nothing() {
        let frame = tcp_frame(ACK);
        let kind_of = kind(&frame);
        assert_eq!(
            kind_of,
            Some(Kind::Ip {
                from: Ipv4Addr::new(10, 77, 0, 1),
                to: Ipv4Addr::new(10, 77, 0, 2)
            })
        );
        for length in 0..frame.len() {
            let stump = &frame[..length];
            // It must not panic, whatever it says.
            let (_, _) = (kind(stump), refuse(stump));
            spoil(&mut stump.to_vec(), 39);
        }
        assert_eq!(kind(&frame[..IP + 19]), None);
    }

    #[test]
    fn a_refusal_is_a_reset_that_the_sender_believes() {
        let Refusal::Answered(reset) = refuse(&tcp_frame(ACK)) else {
            panic!("an answer is due");
        };
        assert_eq!(
            kind(&reset),
            Some(Kind::Ip {
                from: Ipv4Addr::new(10, 77, 0, 2),
                to: Ipv4Addr::new(10, 77, 0, 1)
            })
        );
        assert_eq!(
            checksum(&reset[IP..IP + 20]),
            0,
            "the sum over a right header is nought"
        );
        let (_, segment) = tcp(&reset).unwrap();
        assert_eq!((segment[13], &segment[4..8]), (RST, &[0, 0, 2, 0][..]));
        assert_eq!(segment[..4], [0x1b, 0x58, 0x9c, 0x40]);
        let pseudo_header = [&reset[IP + 12..IP + 20], &[0, TCP, 0, 20]].concat();
        assert_eq!(checksum(&[&pseudo_header, segment].concat()), 0);

        let Refusal::Answered(reset) = refuse(&tcp_frame(SYN)) else {
            panic!("an answer is due");
        };
        let (_, segment) = tcp(&reset).unwrap();
        assert_eq!((segment[13], &segment[8..12]), (RST | ACK, &[0, 0, 1, 5][..]));
        assert!(matches!(refuse(&tcp_frame(RST)), Refusal::Passes));
    }

    #[test]
    fn what_is_spoilt_has_a_wrong_checksum_whichever_bit_it_is() {
        let mut whole = tcp_frame(ACK);
        let sum = checksum(&whole[IP..IP + 20]);
        whole[IP + 10..IP + 12].copy_from_slice(&sum.to_be_bytes());
        for choice in 0..80 {
            let mut spoilt = whole.clone();
            spoil(&mut spoilt, choice);
            assert_ne!(checksum(&spoilt[IP..IP + 20]), 0, "choice {choice}");
        }
    }
}
