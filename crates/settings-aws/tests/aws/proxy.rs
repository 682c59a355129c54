//! A slow line.
use crate::AnyError;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Passes everything on to a port of this machine; what comes back, only after a delay.
pub(crate) struct Proxy {
    pub(crate) url: String,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(to: u16, delay: Duration) -> Result<Self, AnyError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(async move { drop(pass(client, to, delay).await) });
            }
        });
        Ok(Self { url, task })
    }
}

async fn pass(client: TcpStream, to: u16, delay: Duration) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", to)).await?;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    tokio::spawn(async move { drop(copy(&mut from_client, &mut to_server).await) });
    let mut buffer = Vec::with_capacity(4096);
    while from_server.read_buf(&mut buffer).await? > 0 {
        tokio::time::sleep(delay).await;
        to_client.write_all(&buffer).await?;
        buffer.clear();
    }
    Ok(())
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
