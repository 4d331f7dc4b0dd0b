//! What a file is, by its content: names lie.

use std::{fs::File, io::Read};

use farmhand_actors::domain::MediaKind;

/// Bytes that are enough to tell MP4, JPG and PNG from everything else.
const HEAD_BYTES: u64 = 8 * 1024;

/// The kind of an open file and the extension that fits its content; `None` when it is not MP4, JPG or PNG.
///
/// # Errors
/// The file cannot be read.
pub fn sniff(file: &mut File) -> std::io::Result<Option<(MediaKind, &'static str)>> {
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(sniff_bytes(&head))
}

/// As [`sniff`], for the first bytes of a file.
#[must_use]
pub fn sniff_bytes(head: &[u8]) -> Option<(MediaKind, &'static str)> {
    match infer::get(head)?.mime_type() {
        "video/mp4" | "video/x-m4v" => Some((MediaKind::Video, "mp4")),
        "image/jpeg" => Some((MediaKind::Image, "jpg")),
        "image/png" => Some((MediaKind::Image, "png")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_whatever_the_name_says() {
        assert_eq!(sniff_bytes(b"\x89PNG\r\n\x1a\n...."), Some((MediaKind::Image, "png")));
        assert_eq!(
            sniff_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF"),
            Some((MediaKind::Image, "jpg"))
        );
        assert_eq!(
            sniff_bytes(b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2mp41"),
            Some((MediaKind::Video, "mp4"))
        );
        assert_eq!(sniff_bytes(b"GIF89a"), None);
        assert_eq!(sniff_bytes(b"#!/bin/sh\n"), None);
        assert_eq!(sniff_bytes(b""), None);
    }
}
