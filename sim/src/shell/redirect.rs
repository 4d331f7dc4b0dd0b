//! Opens what a command's output and input are redirected to.

use bytes::Bytes;

use super::{
    ast::{Redirect, Target},
    interpret::{Interpreter, Unwind},
    io::{Input, Output, Streams},
};

impl Interpreter {
    /// Streams after redirection; `None` when a file could not be opened, which has been said then.
    pub(super) async fn redirect(
        &mut self,
        redirects: &[Redirect],
        streams: &Streams,
    ) -> Result<Option<Streams>, Unwind> {
        let mut streams = streams.clone();
        for redirect in redirects {
            let opened = self.open(&redirect.target, &mut streams, redirect.descriptor).await?;
            if let Err(message) = opened {
                self.complain(&streams, &message).await?;
                self.status = 1;
                return Ok(None);
            }
        }
        Ok(Some(streams))
    }

    async fn open(
        &mut self,
        target: &Target,
        streams: &mut Streams,
        descriptor: u8,
    ) -> Result<Result<(), String>, Unwind> {
        let output = match target {
            Target::Read(word) => {
                let name = self.expand_text(word, streams).await?;
                return Ok(match self.files().read(&self.absolute(&name)) {
                    Ok(content) => {
                        streams.stdin = Input::from_bytes(content);
                        Ok(())
                    }
                    Err(error) => Err(format!("can't open {name}: {}", error.errno)),
                });
            }
            Target::Write(word) | Target::Append(word) => {
                let name = self.expand_text(word, streams).await?;
                let path = self.absolute(&name);
                let opened = match target {
                    Target::Append(_) => self.files().create(&path),
                    _ => self.files().write(&path, Bytes::new()),
                };
                if let Err(error) = opened {
                    return Ok(Err(format!("can't create {name}: {}", error.errno)));
                }
                Output::File(self.files(), path)
            }
            Target::Duplicate(1) => streams.stdout.clone(),
            Target::Duplicate(2) => streams.stderr.clone(),
            Target::Duplicate(0) => return Ok(Ok(())),
            Target::Duplicate(number) => return Ok(Err(format!("{number}: bad file descriptor"))),
            Target::Close if descriptor == 0 => {
                streams.stdin = Input::empty();
                return Ok(Ok(()));
            }
            Target::Close => Output::Closed,
        };
        match descriptor {
            1 => streams.stdout = output,
            2 => streams.stderr = output,
            _ => {}
        }
        Ok(Ok(()))
    }
}
