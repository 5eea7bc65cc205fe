//! The messages of the corpus, written after what nodes of release 10.5 and of later ones send, and not by
//! this crate.

use std::path::{Path, PathBuf};

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The octets behind the cookie.
pub(crate) fn body(target: &str, name: &str) -> Vec<u8> {
    let datagram = std::fs::read(folder(target).join(name)).unwrap();
    crate::cookie::split(&datagram).unwrap().1.to_vec()
}

/// Every datagram, by name.
pub(crate) fn datagrams(target: &str) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder(target)).unwrap().map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}
