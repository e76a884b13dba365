//! One connection to one server: messages that want an answer, one at a time.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::protocol::{self, Flaw, Frame};
use crate::tcp;

/// Without echo, so that nobody hears himself; with the word of the server if nobody listens to a message.
const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false,\"headers\":true,\
    \"no_responders\":true,\"lang\":\"rust\",\"version\":\"0\",\"name\":\"partita\"}\r\n";
/// The code by which a server says that nobody listens.
const NO_RESPONDERS: u16 = 503;

/// What came of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nobody listens to its subject: the server has dropped it.
    NobodyThere,
    Text(Vec<u8>),
}

/// A connection. After an error, or a message whose answer was not awaited, it is of no more use.
pub(super) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// What the subjects of all answers begin with.
    inbox: String,
    asked: u64,
}

impl Connection {
    /// `name` is one word, which nobody else in this cluster has.
    pub(super) async fn open(at: SocketAddr, source: Option<IpAddr>, name: &str) -> io::Result<Connection> {
        let mut connection = Connection {
            stream: tcp::connect(at, source).await?,
            received: Vec::new(),
            inbox: format!("_INBOX.{name}"),
            asked: 0,
        };
        let inbox = protocol::subscribe(&format!("{}.*", connection.inbox));
        let greeting = format!("{CONNECT}{inbox}PING\r\n");
        connection.stream.write_all(greeting.as_bytes()).await?;
        while connection.next().await? != Frame::Pong {}
        Ok(connection)
    }

    /// Has the server closed it, as far as is known here?
    pub(super) fn is_closed(&mut self) -> bool {
        loop {
            match self.stream.try_read_buf(&mut self.received) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Sends a message, and waits for its answer.
    pub(super) async fn ask(
        &mut self,
        subject: &str,
        header: Option<(&str, String)>,
        payload: &[u8],
    ) -> io::Result<Answer> {
        self.asked += 1;
        let inbox = format!("{}.{}", self.inbox, self.asked);
        let message = protocol::publish(subject, &inbox, header, payload);
        self.stream.write_all(&message).await?;
        loop {
            match self.next().await? {
                Frame::Message {
                    subject,
                    status,
                    payload,
                } if subject == inbox => {
                    return Ok(match status {
                        Some(NO_RESPONDERS) => Answer::NobodyThere,
                        _ => Answer::Text(payload),
                    });
                }
                _ => {}
            }
        }
    }

    /// The next frame that is not for the connection's own sake.
    async fn next(&mut self) -> io::Result<Frame> {
        loop {
            match protocol::parse(&self.received) {
                Ok((frame, rest)) => {
                    let used = self.received.len() - rest.len();
                    self.received.drain(..used);
                    match frame {
                        Frame::Ping => self.stream.write_all(b"PONG\r\n").await?,
                        Frame::Error(error) => return Err(io::Error::other(error)),
                        Frame::Notice => {}
                        frame => return Ok(frame),
                    }
                }
                Err(Flaw::Malformed) => {
                    let why = "an answer that can't be read";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
                Err(Flaw::Incomplete) => {
                    if self.stream.read_buf(&mut self.received).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }
}
