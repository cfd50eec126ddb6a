//! As much of SCTP as one question and one answer take (RFC 9260): an INIT chunk and the
//! INIT ACK that answers it. Raw sockets carry both, so no kernel needs an SCTP stack,
//! while address translation and connection tracking see a correct handshake.

use std::net::IpAddr;

const COMMON_HEADER_LENGTH: usize = 12;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const ABORT: u8 = 6;
/// INIT ACK must carry a cookie; ours is the answer's text.
const STATE_COOKIE: u16 = 7;
/// Chunk header, initiate tag, window, stream counts, initial sequence number.
const INIT_LENGTH: usize = 20;

/// The fields of a packet with one chunk that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    /// Which association the packet belongs to: the tag its receiver chose.
    pub(super) verification_tag: u32,
    pub(super) chunk: Chunk<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk<'a> {
    /// Opens an association; `tag` is what the sender wants to be addressed with.
    Init { tag: u32 },
    /// Accepts an association.
    InitAck { tag: u32, cookie: &'a [u8] },
    /// Refuses it.
    Abort,
}

impl Packet<'_> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let (kind, tag, cookie): (_, _, &[u8]) = match self.chunk {
            Chunk::Init { tag } => (INIT, Some(tag), &[]),
            Chunk::InitAck { tag, cookie } => (INIT_ACK, Some(tag), cookie),
            Chunk::Abort => (ABORT, None, &[]),
        };
        let mut body = Vec::new();
        if let Some(tag) = tag {
            body.extend(tag.to_be_bytes());
            body.extend(0xffff_u32.to_be_bytes());
            body.extend([0, 1, 0, 1]);
            body.extend(tag.to_be_bytes());
        }
        if kind == INIT_ACK {
            body.extend(STATE_COOKIE.to_be_bytes());
            body.extend(length(4 + cookie.len()));
            body.extend(cookie);
        }
        let mut bytes = Vec::new();
        bytes.extend(self.source_port.to_be_bytes());
        bytes.extend(self.destination_port.to_be_bytes());
        bytes.extend(self.verification_tag.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend([kind, 0]);
        bytes.extend(length(4 + body.len()));
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let checksum = crc32c(&bytes).to_le_bytes();
        if let Some(place) = bytes.get_mut(8..COMMON_HEADER_LENGTH) {
            place.copy_from_slice(&checksum);
        }
        bytes
    }
}

/// The packet in what a raw socket delivers: IPv4 sockets put the IP header before it.
pub(super) fn payload(bytes: &[u8], like: IpAddr) -> Option<&[u8]> {
    let header = match like {
        IpAddr::V4(_) => usize::from(bytes.first()? & 0x0f) * 4,
        IpAddr::V6(_) => 0,
    };
    bytes.get(header..)
}

/// Reads a packet; none if it is malformed, its checksum wrong or its chunk of another kind.
pub(super) fn decode(bytes: &[u8]) -> Option<Packet<'_>> {
    let mut unsummed = bytes.to_vec();
    unsummed.get_mut(8..COMMON_HEADER_LENGTH)?.fill(0);
    if bytes.get(8..COMMON_HEADER_LENGTH)? != crc32c(&unsummed).to_le_bytes() {
        return None;
    }
    let chunk = bytes.get(COMMON_HEADER_LENGTH..)?;
    let chunk = match *chunk.first()? {
        INIT => Chunk::Init { tag: u32_at(chunk, 4)? },
        INIT_ACK => Chunk::InitAck { tag: u32_at(chunk, 4)?, cookie: cookie(chunk)? },
        ABORT => Chunk::Abort,
        _ => return None,
    };
    Some(Packet {
        source_port: u16_at(bytes, 0)?,
        destination_port: u16_at(bytes, 2)?,
        verification_tag: u32_at(bytes, 4)?,
        chunk,
    })
}

fn cookie(chunk: &[u8]) -> Option<&[u8]> {
    let parameter = chunk.get(INIT_LENGTH..)?;
    let length = usize::from(u16_at(parameter, 2)?);
    (u16_at(parameter, 0)? == STATE_COOKIE).then(|| parameter.get(4..length)).flatten()
}

fn length(bytes: usize) -> [u8; 2] {
    // Answers are a line of text; a longer one would be cut off by the receiver.
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

fn u16_at(bytes: &[u8], start: usize) -> Option<u16> {
    bytes.get(start..start + 2)?.try_into().map(u16::from_be_bytes).ok()
}

fn u32_at(bytes: &[u8], start: usize) -> Option<u32> {
    bytes.get(start..start + 4)?.try_into().map(u32::from_be_bytes).ok()
}

/// CRC-32C (Castagnoli), RFC 9260 appendix A. It goes on the wire with its lowest byte
/// first, unlike every other number of the protocol.
fn crc32c(bytes: &[u8]) -> u32 {
    const REFLECTED_POLYNOMIAL: u32 = 0x82f6_3b78;
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (REFLECTED_POLYNOMIAL & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: Packet<'_> = Packet {
        source_port: 53,
        destination_port: 40_000,
        verification_tag: 7,
        chunk: Chunk::InitAck { tag: 9, cookie: b"10.0.0.1:53 10.0.0.2:40000" },
    };

    #[test]
    fn the_checksum_of_the_published_test_vector_is_right() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn packets_read_back_as_they_were_written() {
        for chunk in [Chunk::Init { tag: 5 }, ANSWER.chunk, Chunk::Abort] {
            let packet = Packet { chunk, ..ANSWER };
            assert_eq!(decode(&packet.encode()), Some(packet));
        }
    }

    #[test]
    fn a_packet_that_is_cut_off_or_altered_is_none() {
        let bytes = ANSWER.encode();
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length} bytes");
        }
        for place in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[place] ^= 1;
            assert_eq!(decode(&altered), None, "byte {place}");
        }
    }
}
