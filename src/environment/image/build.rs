//! Builds a bench image in a temporary directory and moves it into the cache when it is whole.

use super::{AGENT_PATH, BenchImage, ImageError, Manifest, Recipe, initrd};
use crate::command;
use crate::durable;
use crate::environment::agent::embedded;
use crate::model::hex;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// All timestamps in the image, so that the same packages give the same bytes: 2025-01-01.
const EPOCH: &str = "1735689600";
const BUILDING: &str = "building-";

/// Documentation and translations are not run.
const EXCLUDED: [&str; 4] =
    ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*"];

/// The corpus for compressors: real files of the image itself, libraries and text, cut into slices of
/// 1 MiB (16) and of 256 KiB (16, the first quarters of those), so that no outside file is needed. All of it, and its
/// first MiB, are the files whose copy-up is measured: where the data directory is in a container's layer, the links in
/// it lead to them; elsewhere it is another directory, with copies.
const CORPUS: &str = r#"
set -e
cd "$1"
mkdir -p usr/share/tollgate/corpus data
find usr/share/perl* usr/lib/x86_64-linux-gnu usr/bin var/lib/dpkg/info -type f -size +8k \
    | LC_ALL=C sort | xargs cat | head -c 67108864 > corpus.all
i=0
while [ $i -lt 16 ]; do
    n=$(printf %02d $i)
    dd if=corpus.all of=usr/share/tollgate/corpus/1m-$n bs=1M skip=$((i * 4)) count=1 status=none
    dd if=corpus.all of=usr/share/tollgate/corpus/256k-$n bs=256K skip=$((i * 16)) count=1 status=none
    test "$(stat -c %s usr/share/tollgate/corpus/1m-$n)" = 1048576
    i=$((i + 1))
done
mkdir -p usr/share/tollgate/copyup
head -c 1048576 corpus.all > usr/share/tollgate/copyup/1m
mv corpus.all usr/share/tollgate/copyup/64m
test "$(stat -c %s usr/share/tollgate/copyup/64m)" = 67108864
for size in 1m 64m; do
    ln -s ../usr/share/tollgate/copyup/$size data/copyup-$size
done
"#;

/// Downloads the guest's kernel package with the sources and keys of the image itself. `$OUT` is where to.
const KERNEL: &str = r#"
set -e
cd "$OUT"
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
name=$(apt-cache depends -i linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
test -n "$name"
apt-get download -o APT::Sandbox::User=root "$name"
"#;

/// Free MiB in the filesystem of `path`.
fn free_mib(path: &Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize) >> 20)
}

/// Builds the image of `recipe` below `images`.
pub async fn build(
    images: &Path,
    recipe: &Recipe,
    say: &(dyn Fn(&str) + Sync),
) -> Result<BenchImage, ImageError> {
    fs::create_dir_all(images).map_err(ImageError::io(images))?;
    remove_abandoned(images)?;
    let free = free_mib(images).map_err(|e| ImageError::Io { path: images.to_owned(), source: e })?;
    if free < recipe.min_free_mib {
        return Err(ImageError::DiskFull {
            path: images.to_owned(),
            free_mib: free,
            need_mib: recipe.min_free_mib,
        });
    }
    let dir = tempfile_dir(images)?;
    let half_built = HalfBuilt(dir.clone());
    let manifest = steps(&dir, recipe, say).await?;
    let image = install(&dir, images, recipe, manifest);
    drop(half_built);
    image
}

/// The directory of a build, removed unless it was renamed: also when the build is dropped in the middle.
struct HalfBuilt(PathBuf);

impl Drop for HalfBuilt {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what an interrupted build left. The host lock is held, so no other build is running. Nothing is
/// removed below a directory in which something is mounted.
fn remove_abandoned(images: &Path) -> Result<(), ImageError> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(ImageError::io(images))?;
    for entry in fs::read_dir(images).map_err(ImageError::io(images))?.flatten() {
        let mounted = mounts.contains(&*entry.path().to_string_lossy());
        if entry.file_name().to_string_lossy().starts_with(BUILDING) && !mounted {
            fs::remove_dir_all(entry.path()).map_err(ImageError::io(&entry.path()))?;
        }
    }
    Ok(())
}

fn tempfile_dir(images: &Path) -> Result<PathBuf, ImageError> {
    let dir = images.join(format!("{BUILDING}{}", std::process::id()));
    fs::create_dir(&dir).map_err(ImageError::io(&dir))?;
    Ok(dir)
}

fn install(dir: &Path, images: &Path, recipe: &Recipe, manifest: Manifest) -> Result<BenchImage, ImageError> {
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|e| ImageError::Io { path: dir.to_owned(), source: e.into() })?;
    durable::write(&dir.join("manifest.json"), text.as_bytes(), 0o644).map_err(ImageError::io(dir))?;
    let home = images.join(recipe.key());
    if home.exists() {
        fs::remove_dir_all(&home).map_err(ImageError::io(&home))?;
    }
    fs::rename(dir, &home).map_err(ImageError::io(&home))?;
    Ok(BenchImage { dir: home, manifest })
}

async fn steps(dir: &Path, recipe: &Recipe, say: &(dyn Fn(&str) + Sync)) -> Result<Manifest, ImageError> {
    say(&format!("bench image: installing {} from Debian {}", recipe.packages.join(", "), recipe.suite));
    bootstrap(dir, recipe).await?;
    let tar = dir.join("rootfs.tar");
    let rootfs = dir.join("rootfs");
    fs::create_dir(&rootfs).map_err(ImageError::io(&rootfs))?;
    command::run(&["tar", "--numeric-owner", "-xpf", &text(&tar), "-C", &text(&rootfs)]).await?;
    let digest = sha256_of(&tar)?;
    let packages =
        command::run(&["dpkg-query", &format!("--admindir={}/var/lib/dpkg", rootfs.display()), "-W"]).await?;
    say("bench image: preparing the guest's kernel and initrd");
    let (kernel_package, kernel_release) = kernel(dir).await?;
    say("bench image: making the guest's disk");
    make_disk(dir, &rootfs).await?;
    Ok(Manifest { digest, suite: recipe.suite.clone(), kernel_release, kernel_package, packages })
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

async fn bootstrap(dir: &Path, recipe: &Recipe) -> Result<(), ImageError> {
    let agent = dir.join("tollgate-agent");
    durable::write(&agent, embedded::AGENT, 0o755).map_err(ImageError::io(&agent))?;
    let tar = text(&dir.join("rootfs.tar"));
    let include = format!("--include={}", recipe.packages.join(","));
    let add_agent = format!("--customize-hook=install -D -m 755 '{}' \"$1{AGENT_PATH}\"", agent.display());
    let corpus = format!("--customize-hook={CORPUS}");
    let kernel = format!("--customize-hook={KERNEL}");
    // Namespaces of its own: whatever ends the build, its mounts and processes end with it.
    let mut build = command::command("unshare");
    build
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar", &include])
        .args(EXCLUDED.map(|path| format!("--dpkgopt=path-exclude={path}")))
        .args([&add_agent, &corpus, &kernel, &recipe.suite, &tar])
        .args(&recipe.mirror)
        .env("SOURCE_DATE_EPOCH", EPOCH)
        .env("OUT", dir)
        .env("TMPDIR", dir);
    command::run_command(build).await?;
    fs::remove_file(&agent).map_err(ImageError::io(&agent))
}

fn sha256_of(path: &Path) -> Result<String, ImageError> {
    let mut file = fs::File::open(path).map_err(ImageError::io(path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(ImageError::io(path))?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

/// Unpacks the kernel's package, keeps vmlinuz and makes the initrd. Returns the package's file name and the release.
async fn kernel(dir: &Path) -> Result<(String, String), ImageError> {
    let package = fs::read_dir(dir)
        .map_err(ImageError::io(dir))?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .find(|name| name.starts_with("linux-image-"))
        .ok_or_else(|| ImageError::Kernel {
            package: "linux-image-cloud-amd64".into(),
            what: "download".into(),
        })?;
    let missing = |what: &str| ImageError::Kernel { package: package.clone(), what: what.into() };
    let unpacked = dir.join("kernel");
    command::run(&["dpkg-deb", "-x", &text(&dir.join(&package)), &text(&unpacked)]).await?;
    let boot = unpacked.join("boot");
    let vmlinuz = fs::read_dir(&boot)
        .map_err(ImageError::io(&boot))?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .find(|name| name.starts_with("vmlinuz-"))
        .ok_or_else(|| missing("vmlinuz"))?;
    let release = vmlinuz.trim_start_matches("vmlinuz-").to_owned();
    fs::rename(boot.join(&vmlinuz), dir.join("vmlinuz")).map_err(ImageError::io(&boot))?;
    let modules = unpacked.join("lib/modules").join(&release);
    let initrd = initrd::make(&modules).map_err(|e| match e {
        initrd::InitrdError::Missing(what) => missing(&what),
        initrd::InitrdError::Io(source) => ImageError::Io { path: modules.clone(), source },
    })?;
    let path = dir.join("initrd");
    fs::write(&path, initrd).map_err(ImageError::io(&path))?;
    fs::remove_dir_all(&unpacked).map_err(ImageError::io(&unpacked))?;
    fs::remove_file(dir.join(&package)).map_err(ImageError::io(dir))?;
    Ok((package, release))
}

/// The guest's root disk: the same files, with a quarter and 256 MiB of room.
async fn make_disk(dir: &Path, rootfs: &Path) -> Result<(), ImageError> {
    let used = command::run(&["du", "-sxm", &text(rootfs)]).await?;
    let used: u64 = used.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(1024);
    let size = format!("{}M", used + used / 4 + 256);
    let disk = text(&dir.join("disk.ext4"));
    command::run(&["mke2fs", "-q", "-t", "ext4", "-F", "-d", &text(rootfs), &disk, &size]).await?;
    Ok(())
}
