//! Frames: a length (u32, little-endian) and as many bytes. The first frame of a connection is its hello.

use std::io;

use partita_protocols::codec::{Reader, put_bytes};
use partita_protocols::{Decode, DecodeError, Encode, NodeId};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest frame, in bytes: a message carries at most some 256 KiB of entries, one entry, or a chunk of a
/// snapshot. Far above that, since what is longer can not be sent at all.
pub(super) const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest hello, in bytes: until it has come, anybody may be at the other end.
pub(super) const HELLO_BYTES_MAX: usize = 128;

/// How much of a buffer is kept from one frame to the next.
const BUFFER_BYTES_KEPT: usize = 512 * 1024;

/// Says who connects, to whom, and in which language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) protocol: String,
    pub(super) from: NodeId,
    pub(super) to: NodeId,
}

/// The first bytes of a hello: what it is. Its version follows.
const MAGIC: &[u8] = b"partita-peer";
const VERSION: u8 = 1;

impl Encode for Hello {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, &[MAGIC, &[VERSION]].concat());
        put_bytes(out, self.protocol.as_bytes());
        self.from.encode(out);
        self.to.encode(out);
    }
}

impl Decode for Hello {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.bytes("a greeting", MAGIC.len() + 1)?.strip_prefix(MAGIC) {
            Some([VERSION]) => {}
            Some(_) => {
                let why = "the peer speaks another version of the transport";
                return Err(DecodeError::Impossible(why));
            }
            None => return Err(DecodeError::Impossible("the greeting is not that of a peer")),
        }
        Ok(Hello {
            protocol: input.string("a protocol's name", 32)?.to_owned(),
            from: NodeId::decode(input)?,
            to: NodeId::decode(input)?,
        })
    }
}

/// A frame with this content.
pub(super) fn frame(content: &impl Encode) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    content.encode(&mut bytes);
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Reads one frame of at most `bytes_max` into `buffer`. False at the end of the stream, between frames.
pub(super) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    bytes_max: usize,
) -> io::Result<bool> {
    let mut length = [0; 4];
    if stream.read(&mut length[..1]).await? == 0 {
        return Ok(false);
    }
    stream.read_exact(&mut length[1..]).await?;
    let length = u32::from_le_bytes(length) as usize;
    if length > bytes_max {
        let message = format!("a frame of {length} bytes, over the limit of {bytes_max}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    // Grows with what really comes, and not on the word of the length.
    buffer.clear();
    buffer.shrink_to(BUFFER_BYTES_KEPT);
    let read = stream.take(length as u64).read_to_end(buffer).await?;
    if read < length {
        Err(io::ErrorKind::UnexpectedEof.into())
    } else {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_follow_each_other_and_a_cut_one_is_an_error() {
        let node = |name| NodeId::new(name).expect("a good name");
        let hello = Hello {
            protocol: "raft".into(),
            from: node("n1"),
            to: node("n2"),
        };
        let bytes = [frame(&hello), frame(&hello)].concat();
        let mut buffer = Vec::new();
        for length in 0..=bytes.len() {
            let mut stream = &bytes[..length];
            let mut frames = 0;
            let end = loop {
                match read_frame(&mut stream, &mut buffer, HELLO_BYTES_MAX).await {
                    Ok(true) => assert_eq!(Hello::from_bytes(&buffer).as_ref(), Ok(&hello)),
                    end => break end,
                }
                frames += 1;
            };
            assert_eq!(frames, 2 * length / bytes.len());
            assert_eq!(
                end.is_ok(),
                length % (bytes.len() / 2) == 0,
                "cut to {length} bytes: {end:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_oversize_frame_is_refused_before_it_is_read() {
        let mut stream = &u32::MAX.to_le_bytes()[..];
        let error = read_frame(&mut stream, &mut Vec::new(), FRAME_BYTES_MAX)
            .await
            .expect_err("too long a frame");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
