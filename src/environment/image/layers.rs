//! The bench image with more layers on top, as an archive that an engine loads.
//!
//! One layer holds the files whose copy-up is measured, among them one of 1 GiB that the bench image does without, since
//! everybody would carry it three times; above it are small ones. The layers of the bench image itself are named only: the engine
//! has them. The format is that of `docker save` (Docker Image Specification v1.2).

use super::{AGENT_PATH, BenchImage, COPYUP};
use crate::model::hex;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use tar::{Builder, EntryType, EntryWriter, Header};

/// All timestamps, as in the bench image: 2025-01-01.
const EPOCH: u64 = 1_735_689_600;
/// The bench image's files, which lie in the same layer as the large one.
const FILES: [&str; 2] = ["1m", "64m"];
/// The large file is so many copies of the last of them: real bytes, because holes do not survive a tar.
const COPIES: usize = 16;
/// Its name.
const LARGE: &str = "1g";

/// What an archive is made of.
#[derive(Debug)]
pub struct LayeredImage<'a> {
    /// Below everything.
    pub bench: &'a BenchImage,
    /// The digests of the bench image's layers in the engine (`sha256:...`, uncompressed).
    pub below: &'a [String],
    /// What the engine calls the architecture: `amd64`.
    pub architecture: &'a str,
    /// Layers above the one with the files.
    pub above: u32,
    /// `repository:tag`.
    pub name: &'a str,
    /// Labels of the image.
    pub labels: &'a HashMap<String, String>,
}

impl LayeredImage<'_> {
    /// Writes the archive. It takes 1.2 GiB.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut archive = Builder::new(BufWriter::with_capacity(1 << 20, File::create(path)?));
        let rootfs = self.bench.rootfs();
        let mut names: Vec<String> = (0..self.below.len()).map(|n| format!("bench-{n}.tar")).collect();
        let mut digests = self.below.to_vec();
        names.push("files.tar".to_owned());
        digests.push(layer(&mut archive, "files.tar", |tar| files(tar, &rootfs))?);
        for number in 1..=self.above {
            let name = format!("above-{number:03}.tar");
            digests.push(layer(&mut archive, &name, |tar| small(tar, number))?);
            names.push(name);
        }
        let history: Vec<_> =
            names.iter().map(|name| json!({ "created_by": format!("tollgate {name}") })).collect();
        let configuration = json!({
            "architecture": self.architecture,
            "os": "linux",
            "config": { "Entrypoint": [AGENT_PATH, "serve"], "Labels": self.labels },
            "rootfs": { "type": "layers", "diff_ids": digests },
            "history": history,
        });
        let manifest = json!([{ "Config": "config.json", "RepoTags": [self.name], "Layers": names }]);
        for (name, value) in [("config.json", configuration), ("manifest.json", manifest)] {
            let text = value.to_string();
            archive.append_data(&mut header(EntryType::Regular, text.len() as u64), name, text.as_bytes())?;
        }
        archive.into_inner()?.flush()
    }
}

type Layer<'a> = Builder<Hashing<EntryWriter<'a>>>;

/// Adds a layer to the archive and returns its digest.
fn layer(
    archive: &mut Builder<BufWriter<File>>,
    name: &str,
    fill: impl FnOnce(&mut Layer<'_>) -> io::Result<()>,
) -> io::Result<String> {
    let mut header = header(EntryType::Regular, 0);
    let entry = archive.append_writer(&mut header, name)?;
    let mut layer = Builder::new(Hashing { to: entry, hash: Sha256::new() });
    fill(&mut layer)?;
    let Hashing { to, hash } = layer.into_inner()?;
    to.finish()?;
    Ok(format!("sha256:{}", hex(&hash.finalize())))
}

/// The files of copy-up, and the link in the data directory to the one that the bench image has not.
fn files(tar: &mut Layer<'_>, rootfs: &Path) -> io::Result<()> {
    directories(tar)?;
    let from = rootfs.join(COPYUP);
    for name in FILES {
        let file = File::open(from.join(name))?;
        let mut header = header(EntryType::Regular, file.metadata()?.len());
        tar.append_data(&mut header, Path::new(COPYUP).join(name), file)?;
    }
    let mut bytes: Box<dyn Read> = Box::new(io::empty());
    let mut size = 0;
    for _ in 0..COPIES {
        let file = File::open(from.join(FILES[FILES.len() - 1]))?;
        size += file.metadata()?.len();
        bytes = Box::new(bytes.chain(file));
    }
    let large = Path::new(COPYUP).join(LARGE);
    tar.append_data(&mut header(EntryType::Regular, size), &large, bytes)?;
    tar.append_data(&mut header(EntryType::Directory, 0), "data/", io::empty())?;
    let link = format!("data/copyup-{LARGE}");
    tar.append_link(&mut header(EntryType::Symlink, 0), link, Path::new("..").join(large))
}

/// A layer that holds one file beside those of copy-up, so that a search for them goes through its directories, too.
fn small(tar: &mut Layer<'_>, number: u32) -> io::Result<()> {
    directories(tar)?;
    let text = format!("layer {number}\n");
    let path = Path::new(COPYUP).join(format!("above-{number:03}"));
    tar.append_data(&mut header(EntryType::Regular, text.len() as u64), path, text.as_bytes())
}

/// Those on the way to the files, with their mode: an engine makes those that are missing for root alone.
fn directories(tar: &mut Layer<'_>) -> io::Result<()> {
    let mut path = String::new();
    for part in COPYUP.split('/') {
        path.push_str(part);
        path.push('/');
        tar.append_data(&mut header(EntryType::Directory, 0), &path, io::empty())?;
    }
    Ok(())
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
    header.set_mtime(EPOCH);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header
}

/// Hashes what it passes on.
struct Hashing<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Manifest;
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeMap;

    /// The files of a tar by name; a link's target stands for its bytes.
    fn unpacked(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for entry in tar::Archive::new(bytes).entries().expect("a tar") {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a path").to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("read");
            if let Some(target) = entry.link_name().expect("a link") {
                bytes = target.to_string_lossy().into_owned().into_bytes();
            }
            assert_eq!(entry.header().uid().expect("an owner"), 0, "{name}");
            found.insert(name, bytes);
        }
        found
    }

    #[test]
    fn the_files_lie_in_one_layer_and_as_many_as_asked_for_above_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let copyup = dir.path().join("rootfs").join(COPYUP);
        std::fs::create_dir_all(&copyup).expect("made");
        for name in FILES {
            std::fs::write(copyup.join(name), name).expect("written");
        }
        let text = |s: &str| s.to_owned();
        let manifest = Manifest {
            digest: "a".repeat(64),
            suite: text("bookworm"),
            kernel_release: text("6"),
            kernel_package: text("k"),
            packages: text(""),
        };
        let image = LayeredImage {
            bench: &BenchImage { dir: dir.path().to_owned(), manifest },
            below: &[text("sha256:base")],
            architecture: "amd64",
            above: 3,
            name: "tollgate/layers:4",
            labels: &HashMap::from([(text("tollgate.sweep"), text("s"))]),
        };
        let path = dir.path().join("image.tar");
        image.write(&path).expect("written");
        let archive = unpacked(&std::fs::read(&path).expect("read"));
        let value = |name: &str| serde_json::from_slice::<Value>(&archive[name]).expect("JSON");
        let (manifest, configuration) = (value("manifest.json"), value("config.json"));
        let layers: Vec<&str> =
            manifest[0]["Layers"].as_array().expect("layers").iter().filter_map(Value::as_str).collect();
        assert_eq!(layers, ["bench-0.tar", "files.tar", "above-001.tar", "above-002.tar", "above-003.tar"]);
        assert_eq!(configuration["rootfs"]["diff_ids"][0], "sha256:base");
        for (index, name) in layers.iter().enumerate().skip(1) {
            let digest = format!("sha256:{}", hex(&Sha256::digest(&archive[*name])));
            assert_eq!(configuration["rootfs"]["diff_ids"][index], digest, "{name}");
        }
        assert_eq!(configuration["config"]["Labels"]["tollgate.sweep"], "s");
        let files = unpacked(&archive["files.tar"]);
        assert_eq!(files[&format!("{COPYUP}/1g")], "64m".repeat(16).into_bytes());
        assert_eq!(files["data/copyup-1g"], format!("../{COPYUP}/1g").into_bytes());
        assert!(files.contains_key(&format!("{COPYUP}/1m")) && files.contains_key("usr/"));
        assert!(unpacked(&archive["above-003.tar"]).contains_key(&format!("{COPYUP}/above-003")));
        assert!(!archive.contains_key("bench-0.tar"), "the engine has it");
    }
}
