//! The package name inside an APK: a ZIP whose `AndroidManifest.xml` is in Android's binary XML
//! (`frameworks/base/libs/androidfw/include/androidfw/ResourceTypes.h`). Every read is checked: the file is anyone's.

/// The largest manifest that is unpacked, bytes; real ones stay below 1 MiB.
const MANIFEST_LIMIT: usize = 8 << 20;

const END_OF_DIRECTORY: u32 = 0x0605_4b50;
const DIRECTORY_ENTRY: u32 = 0x0201_4b50;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

const STRING_POOL: u16 = 0x0001;
const START_ELEMENT: u16 = 0x0102;
const UTF8_FLAG: u32 = 1 << 8;

/// The `package` of the APK's manifest, or what `Failure [...]` says about the file.
pub(super) fn package_of(apk: &[u8]) -> Result<String, &'static str> {
    const NOT_APK: &str = "INSTALL_PARSE_FAILED_NOT_APK: Failed to parse /data/app/vmdl1.tmp/base.apk: \
                           Failed to load asset path /data/app/vmdl1.tmp/base.apk";
    const NO_MANIFEST: &str = "INSTALL_PARSE_FAILED_BAD_MANIFEST: Failed to parse /data/app/vmdl1.tmp/base.apk: \
                               AndroidManifest.xml";
    const BAD_NAME: &str = "INSTALL_PARSE_FAILED_BAD_PACKAGE_NAME: Invalid manifest package: bad package name";
    if find_end(apk).is_none() {
        return Err(NOT_APK);
    }
    let manifest = entry(apk, "AndroidManifest.xml").ok_or(NO_MANIFEST)?;
    let package = manifest_package(&manifest).ok_or(NO_MANIFEST)?;
    let words = package.split('.');
    let valid = package.contains('.')
        && words.clone().all(|word| {
            word.starts_with(|c: char| c.is_ascii_alphabetic())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
    if valid { Ok(package) } else { Err(BAD_NAME) }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn offset_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32_at(bytes, at)?).ok()
}

/// The end-of-directory record; a comment of up to 64 KiB may follow it.
fn find_end(zip: &[u8]) -> Option<usize> {
    let last = zip.len().checked_sub(22)?;
    (last.saturating_sub(65_535)..=last)
        .rev()
        .find(|&at| u32_at(zip, at) == Some(END_OF_DIRECTORY))
}

/// A file of the ZIP, unpacked.
fn entry(zip: &[u8], name: &str) -> Option<Vec<u8>> {
    let end = find_end(zip)?;
    let mut at = offset_at(zip, end + 16)?;
    for _ in 0..u16_at(zip, end + 10)? {
        if u32_at(zip, at)? != DIRECTORY_ENTRY {
            return None;
        }
        let lengths = [u16_at(zip, at + 28)?, u16_at(zip, at + 30)?, u16_at(zip, at + 32)?].map(usize::from);
        let [name_length, extra_length, comment_length] = lengths;
        let start = at + 46;
        if zip.get(start..start + name_length)? == name.as_bytes() {
            let (method, packed) = (u16_at(zip, at + 10)?, offset_at(zip, at + 20)?);
            return unpack(zip, offset_at(zip, at + 42)?, method, packed);
        }
        at = start + name_length + extra_length + comment_length;
    }
    None
}

fn unpack(zip: &[u8], header: usize, method: u16, packed: usize) -> Option<Vec<u8>> {
    let name_length = usize::from(u16_at(zip, header.checked_add(26)?)?);
    let extra_length = usize::from(u16_at(zip, header.checked_add(28)?)?);
    let start = header.checked_add(30 + name_length + extra_length)?;
    let content = zip.get(start..start.checked_add(packed)?)?;
    match method {
        STORED => Some(content.to_vec()),
        DEFLATED => miniz_oxide::inflate::decompress_to_vec_with_limit(content, MANIFEST_LIMIT).ok(),
        _ => None,
    }
}

/// The attribute `package` of the first element.
fn manifest_package(xml: &[u8]) -> Option<String> {
    let mut pool = None;
    let mut at = usize::from(u16_at(xml, 2)?);
    loop {
        let kind = u16_at(xml, at)?;
        let size = offset_at(xml, at + 4)?.max(8);
        match kind {
            STRING_POOL => pool = xml.get(at..),
            START_ELEMENT => return package_attribute(xml, at, pool?),
            _ => {}
        }
        at = at.checked_add(size)?;
    }
}

fn package_attribute(xml: &[u8], element: usize, pool: &[u8]) -> Option<String> {
    let body = element + usize::from(u16_at(xml, element + 2)?);
    let first = body + usize::from(u16_at(xml, body + 8)?);
    let size = usize::from(u16_at(xml, body + 10)?).max(1);
    for index in 0..usize::from(u16_at(xml, body + 12)?) {
        let at = first + index * size;
        if string(pool, u32_at(xml, at + 4)?)? == "package" {
            return string(pool, u32_at(xml, at + 8)?);
        }
    }
    None
}

/// A string of the pool: UTF-8 with two length prefixes, or UTF-16 with one.
fn string(pool: &[u8], index: u32) -> Option<String> {
    if index >= u32_at(pool, 8)? {
        return None;
    }
    let offsets = usize::from(u16_at(pool, 2)?);
    let offset = offset_at(pool, offsets.checked_add(usize::try_from(index).ok()?.checked_mul(4)?)?)?;
    let at = offset_at(pool, 20)?.checked_add(offset)?;
    if u32_at(pool, 16)? & UTF8_FLAG != 0 {
        let skip = |at: usize| Some(if pool.get(at)? & 0x80 == 0 { 1 } else { 2 });
        let at = at + skip(at)?;
        let first = usize::from(*pool.get(at)?);
        let length = if first & 0x80 == 0 {
            first
        } else {
            (first & 0x7f) << 8 | usize::from(*pool.get(at + 1)?)
        };
        let start = at + skip(at)?;
        return String::from_utf8(pool.get(start..start + length)?.to_vec()).ok();
    }
    let length = usize::from(u16_at(pool, at)?);
    let units: Option<Vec<u16>> = (0..length).map(|index| u16_at(pool, at + 2 + index * 2)).collect();
    String::from_utf16(&units?).ok()
}

#[cfg(test)]
#[path = "../../tests/support/apk.rs"]
pub(super) mod building;

#[cfg(test)]
mod tests {
    use super::{
        building::{dummy_apk, manifest, zip},
        *,
    };

    #[test]
    fn the_package_is_read_from_stored_and_from_packed_manifests() {
        let packed = zip("AndroidManifest.xml", DEFLATED, &{
            miniz_oxide::deflate::compress_to_vec(&manifest("com.packed.app"), 6)
        });

        assert_eq!(
            package_of(&dummy_apk("com.stored.app")).as_deref(),
            Ok("com.stored.app")
        );
        assert_eq!(package_of(&packed).as_deref(), Ok("com.packed.app"));
    }

    #[test]
    fn other_files_are_refused_by_what_is_wrong_with_them() {
        let cases = [
            (b"not a zip".to_vec(), "INSTALL_PARSE_FAILED_NOT_APK"),
            (zip("other.txt", STORED, b"x"), "INSTALL_PARSE_FAILED_BAD_MANIFEST"),
            (
                zip("AndroidManifest.xml", STORED, b"<manifest/>"),
                "INSTALL_PARSE_FAILED_BAD_MANIFEST",
            ),
            (dummy_apk("../../etc"), "INSTALL_PARSE_FAILED_BAD_PACKAGE_NAME"),
            (dummy_apk("single"), "INSTALL_PARSE_FAILED_BAD_PACKAGE_NAME"),
        ];
        for (file, reason) in cases {
            assert!(
                package_of(&file).expect_err("no package").starts_with(reason),
                "{reason}"
            );
        }
    }

    #[test]
    fn no_truncation_and_no_flipped_byte_of_a_package_panics() {
        let apk = dummy_apk("com.example.app");
        for end in 0..apk.len() {
            let _ = package_of(&apk[..end]);
        }
        for at in 0..apk.len() {
            for value in [0x00, 0x7f, 0xff] {
                let mut changed = apk.clone();
                changed[at] = value;
                let _ = package_of(&changed);
            }
        }
    }
}
