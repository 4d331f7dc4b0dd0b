//! Checksums.

use md5::{Digest, Md5};

use super::{Ending, Process};

pub(super) async fn md5sum(p: &mut Process<'_>) -> Ending {
    let options = match p.options("b", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let mut code = 0;
    for path in options.inputs() {
        match p.read(&path).await? {
            Some(content) => {
                let sum: String = Md5::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
                let line = if options.has('b') {
                    format!("{sum}\n")
                } else {
                    format!("{sum}  {path}\n")
                };
                p.out(line).await?;
            }
            None => code = 1,
        }
    }
    Ok(code)
}
