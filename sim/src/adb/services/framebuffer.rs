//! `framebuffer:`: the screen as raw pixels behind a header of version 2 (`framebuffer_service.cpp`).

use std::{io, sync::Arc};

use tokio::io::{AsyncWriteExt, DuplexStream};

use crate::device::Device;

const VERSION: u32 = 2;
const BITS_PER_PIXEL: u32 = 32;
/// sRGB. Clients read a 0 here ("unknown") as the width of an older header.
const COLOR_SPACE: u32 = 1;

pub(super) async fn run(device: &Arc<dyn Device>, mut pipe: DuplexStream) -> io::Result<()> {
    let frame = device.frame().await;
    let size = u32::try_from(frame.rgba.len()).map_err(io::Error::other)?;
    // Offset and length in bits of red, blue, green, alpha: in that order.
    let layout = [0, 8, 16, 8, 8, 8, 24, 8];
    let head = [VERSION, BITS_PER_PIXEL, COLOR_SPACE, size, frame.width, frame.height];
    let header: Vec<u8> = head
        .iter()
        .chain(&layout)
        .flat_map(|word: &u32| word.to_le_bytes())
        .collect();
    pipe.write_all(&header).await?;
    pipe.write_all(&frame.rgba).await?;
    pipe.shutdown().await
}
