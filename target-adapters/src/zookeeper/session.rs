//! One session with one server: requests and their answers, one at a time.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::jute::{Reader, Writer};

/// How long a server keeps a session of which it hears nothing. Ours are used all the time, and a new one is made
/// where one has ended; so it need only be long enough that it ends in no lull.
const SESSION_TIMEOUT_MS: i32 = 30_000;
/// Servers refuse larger ones, too.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What can be asked.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Create = 1,
    GetData = 4,
    SetData = 5,
    Sync = 9,
}

/// What a server answers: the code of its error, 0 if there is none, and the record that follows.
pub(super) struct Answer {
    pub(super) error: i32,
    pub(super) record: Vec<u8>,
}

/// A session. After an error it is of no more use.
pub(super) struct Session {
    stream: TcpStream,
    last: i32,
}

impl Session {
    /// Makes a new session, which is a write that a quorum agrees upon.
    pub(super) async fn open(at: SocketAddr) -> io::Result<Session> {
        let mut stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let request = Writer::default()
            .int(0) // the protocol's version
            .long(0) // the last transaction seen: none
            .int(SESSION_TIMEOUT_MS)
            .long(0) // a new session
            .bytes(&[0; 16])
            .flag(false); // not one that may only read
        send(&mut stream, &request.finish()).await?;
        let answer = receive(&mut stream).await?;
        let mut reader = Reader(&answer);
        let number = (|| {
            reader.int()?; // the protocol's version
            reader.int()?; // the timeout that was agreed upon
            reader.long()
        })();
        match number {
            Some(number) if number != 0 => Ok(Session { stream, last: 0 }),
            _ => Err(io::Error::other("the server made no session")),
        }
    }

    /// Has the server closed it, as far as is known here?
    pub(super) fn is_closed(&self) -> bool {
        // Between requests there is nothing to read but an end.
        !matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(&mut self, kind: Kind, record: Writer) -> io::Result<Answer> {
        self.last = self.last.wrapping_add(1).max(1);
        let mut request = Writer::default().int(self.last).int(kind as i32).finish();
        request.extend(record.finish());
        send(&mut self.stream, &request).await?;
        let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "an answer that can't be read");
        loop {
            let answer = receive(&mut self.stream).await?;
            let mut reader = Reader(&answer);
            let number = reader.int().ok_or_else(unreadable)?;
            let _transaction = reader.long().ok_or_else(unreadable)?;
            let error = reader.int().ok_or_else(unreadable)?;
            // Negative ones are notices that belong to no request.
            if number >= 0 {
                if number != self.last {
                    return Err(unreadable());
                }
                let record = reader.0.to_vec();
                return Ok(Answer { error, record });
            }
        }
    }
}

async fn send(stream: &mut TcpStream, record: &[u8]) -> io::Result<()> {
    // In one piece: Nagle's algorithm is off.
    stream.write_all(&Writer::default().bytes(record).finish()).await
}

async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_i32().await?).unwrap_or(usize::MAX);
    if length > ANSWER_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "an answer that is too long",
        ));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
