//! One connection to one server: commands and their replies, one at a time.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::resp::{self, Flaw, Reply};
use crate::tcp;

/// A longer reply is an error.
const REPLY_BYTES_MAX: usize = 1 << 20;

/// A connection. After an error, or a command that was not awaited, it is of no more use.
pub(super) struct Connection {
    stream: TcpStream,
}

impl Connection {
    pub(super) async fn open(at: SocketAddr, source: Option<IpAddr>) -> io::Result<Connection> {
        let stream = tcp::connect(at, source).await?;
        Ok(Connection { stream })
    }

    /// Has the server closed it, as far as is known here?
    pub(super) fn is_closed(&self) -> bool {
        // Between commands there is nothing to read but an end.
        !matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a command, and waits for its reply.
    pub(super) async fn ask<W: AsRef<str>>(&mut self, words: &[W]) -> io::Result<Reply> {
        self.stream.write_all(&resp::command(words)).await?;
        let unreadable = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        let mut received = Vec::new();
        loop {
            match resp::parse(&received) {
                Ok((reply, [])) => return Ok(reply),
                Ok(_) => return Err(unreadable("more than one reply")),
                Err(Flaw::Malformed) => return Err(unreadable("a reply that can't be read")),
                Err(Flaw::Incomplete) if received.len() > REPLY_BYTES_MAX => {
                    return Err(unreadable("a reply that is too long"));
                }
                Err(Flaw::Incomplete) => {
                    if self.stream.read_buf(&mut received).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }
}
