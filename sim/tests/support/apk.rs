//! Android packages made on the spot, for tests.

/// A ZIP with a stored manifest that names this package.
pub fn dummy_apk(package: &str) -> Vec<u8> {
    zip("AndroidManifest.xml", 0, &manifest(package))
}

/// The smallest manifest in binary XML: one element with one attribute.
pub fn manifest(package: &str) -> Vec<u8> {
    let strings = ["package", package, "manifest"];
    let mut data = Vec::new();
    let mut offsets = Vec::new();
    for text in strings {
        offsets.push(u32::try_from(data.len()).expect("small"));
        let units: Vec<u16> = text.encode_utf16().collect();
        data.extend(u16::try_from(units.len()).expect("small").to_le_bytes());
        data.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        data.extend([0, 0]);
    }
    while data.len() % 4 != 0 {
        data.push(0);
    }
    let header = 28 + 4 * offsets.len();
    let mut pool = chunk_header(0x0001, 28, header + data.len());
    for word in [strings.len(), 0, 0, header, 0] {
        pool.extend(u32::try_from(word).expect("small").to_le_bytes());
    }
    pool.extend(offsets.iter().flat_map(|offset| offset.to_le_bytes()));
    pool.extend(data);
    let mut element = chunk_header(0x0102, 16, 56);
    for word in [1_u32, u32::MAX, u32::MAX, 2] {
        element.extend(word.to_le_bytes());
    }
    for half in [20_u16, 20, 1, 0, 0, 0] {
        element.extend(half.to_le_bytes());
    }
    for word in [u32::MAX, 0, 1, 0x0300_0008, 1] {
        element.extend(word.to_le_bytes());
    }
    let mut xml = chunk_header(3, 8, 8 + pool.len() + element.len());
    xml.extend(pool);
    xml.extend(element);
    xml
}

fn chunk_header(kind: u16, header: u16, size: usize) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend(header.to_le_bytes());
    bytes.extend(u32::try_from(size).expect("small").to_le_bytes());
    bytes
}

/// A ZIP with one file; `content` is packed as `method` says already.
pub fn zip(name: &str, method: u16, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).expect("small").to_le_bytes();
    let name_length = u16::try_from(name.len()).expect("small").to_le_bytes();
    let mut local = 0x0403_4b50_u32.to_le_bytes().to_vec();
    local.extend([20, 0, 0, 0]);
    local.extend(method.to_le_bytes());
    local.extend([0; 8]);
    local.extend(size);
    local.extend(size);
    local.extend(name_length);
    local.extend([0, 0]);
    local.extend(name.as_bytes());
    local.extend(content);
    let mut directory = 0x0201_4b50_u32.to_le_bytes().to_vec();
    directory.extend([20, 0, 20, 0, 0, 0]);
    directory.extend(method.to_le_bytes());
    directory.extend([0; 8]);
    directory.extend(size);
    directory.extend(size);
    directory.extend(name_length);
    directory.extend([0; 16]);
    directory.extend(name.as_bytes());
    let start = u32::try_from(local.len()).expect("small").to_le_bytes();
    let length = u32::try_from(directory.len()).expect("small").to_le_bytes();
    local.extend(&directory);
    local.extend(0x0605_4b50_u32.to_le_bytes());
    local.extend([0, 0, 0, 0, 1, 0, 1, 0]);
    local.extend(length);
    local.extend(start);
    local.extend([0, 0]);
    local
}
