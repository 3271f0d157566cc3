//! The ledger's directory: whose it is, where it lies, and how it comes to be.
//!
//! ```text
//! DIR/lock    held by the process that has the ledger open
//! DIR/data    the database; complete since the moment it has this name
//! ```
//!
//! Both can be read by the owner only. Invariant: what `data` holds was made completely and synced before it got its
//! name, so a process that dies while it makes a ledger leaves `data.new` behind, which nobody ever relied on.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::{OpenError, OpenErrorKind, Options};

const LOCK: &str = "lock";
const DATA: &str = "data";
const UNFINISHED: &str = "data.new";
const OWNER_ONLY_DIR: u32 = 0o700;
const OWNER_ONLY_FILE: u32 = 0o600;

/// File systems on which a lock may be lost without a word, by what `statfs` calls them (see statfs(2)).
const NETWORK: [(i64, &str); 11] = [
    (0x6969, "nfs"),
    (0xfe53_4d42, "smb2"),
    (0xff53_4d42, "cifs"),
    (0x517b, "smb"),
    (0x6573_5546, "fuse"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "ceph"),
    (0x5346_414f, "afs"),
    (0x0bd0_0bd0, "lustre"),
    (0x0116_1970, "gfs2"),
    (0x7461_636f, "ocfs2"),
];
const MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// A directory that this process holds alone until this is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if there is none, and takes it.
    pub(crate) fn take(path: &Path, options: &Options) -> Result<Self, OpenError> {
        make(path).map_err(|error| OpenError::io(path, "the directory could not be made", error))?;
        let on = rustix::fs::statfs(path)
            .map_err(|error| OpenError::io(path, "its file system could not be asked for", error.into()))?;
        local(path, on.f_type & 0xffff_ffff, options)?;
        Ok(Self { path: path.to_owned(), _lock: lock(path)? })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The database's own directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Makes the database with `fill`, which syncs each file that it writes, unless there is one.
    pub(crate) fn ensure(&self, fill: impl FnOnce(&Path) -> Result<(), OpenError>) -> Result<(), OpenError> {
        let (data, unfinished) = (self.data(), self.path.join(UNFINISHED));
        let failed = |doing: &'static str| move |error| OpenError::io(&self.path, doing, error);
        if data.try_exists().map_err(failed("it could not be read"))? {
            private(&data);
            return Ok(());
        }
        match std::fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("what an earlier start left could not be removed")(error));
            }
            _ => make(&unfinished).map_err(failed("the database could not be made"))?,
        }
        fill(&unfinished)?;
        // fjall leaves it to the system when the folder of a new keyspace gets its entry; and where it finds no folder,
        // it skips the journal's rows for that keyspace.
        sync_entries(&unfinished)
            .and_then(|()| std::fs::rename(&unfinished, &data))
            .and_then(|()| File::open(&self.path)?.sync_all())
            .map_err(failed("the new database could not be written"))
    }
}

/// Makes a directory that only its owner may read, and those above it as usual; each is durable when this returns.
fn make(path: &Path) -> io::Result<()> {
    make_with(path, OWNER_ONLY_DIR)
}

fn make_with(path: &Path, mode: u32) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_with(parent, 0o777)?;
            DirBuilder::new().mode(mode).create(path)?;
        }
        made => made?,
    }
    File::open(parent)?.sync_all()
}

/// Takes the database away from others, as far as this process may: an operator can have given it to them.
fn private(data: &Path) {
    let others = |mode: u32| mode & 0o077 != 0;
    let shut = std::fs::metadata(data).and_then(|metadata| match others(metadata.permissions().mode()) {
        true => std::fs::set_permissions(data, Permissions::from_mode(OWNER_ONLY_DIR)),
        false => Ok(()),
    });
    if let Err(error) = shut {
        tracing::warn!(path = %data.display(), %error, "other users of this machine may read the ledger");
    }
}

/// Refuses a network file system that was not allowed by name.
fn local(path: &Path, magic: i64, options: &Options) -> Result<(), OpenError> {
    if MEMORY.contains(&magic) {
        tracing::warn!(path = %path.display(), "the ledger lies in memory and is gone when the machine restarts");
    }
    let Some((_, name)) = NETWORK.iter().find(|(network, _)| *network == magic) else { return Ok(()) };
    if options.allow_network_fs.iter().any(|allowed| allowed == name) {
        return Ok(());
    }
    Err(OpenError::new(
        OpenErrorKind::NetworkFilesystem,
        path,
        format_args!(
            "it lies on `{name}`, where a second process may get the lock as well; use a local disk, a shared \
             ledger, or allow `{name}` if you know that only one process can ever open it"
        ),
    ))
}

/// Ends with the file's last handle, also when the process is killed.
fn lock(path: &Path) -> Result<File, OpenError> {
    let at = path.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(OWNER_ONLY_FILE)
        .open(at)
        .map_err(|error| OpenError::io(path, "its lock could not be opened", error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::new(
            OpenErrorKind::Locked,
            path,
            "another process has it open: stop that one first. A second instance of the same service needs a ledger \
             that both share, on PostgreSQL or Redis; with directories of their own, each would act once",
        )),
        Err(error) => Err(OpenError::io(path, "it could not be locked", error.into())),
    }
}

/// Syncs the entries of what `fill` has made; the files themselves it has synced.
fn sync_entries(data: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_file_system_is_refused_unless_it_is_allowed_by_name() {
        let path = Path::new("/ledger");
        for (magic, name) in NETWORK {
            let error = local(path, magic, &Options::default()).unwrap_err();
            assert_eq!(error.kind(), OpenErrorKind::NetworkFilesystem);
            assert!(error.to_string().contains(name) && error.to_string().contains("/ledger"), "{error}");
            let allowed = Options { allow_network_fs: vec![name.to_owned()], ..Options::default() };
            assert!(local(path, magic, &allowed).is_ok());
            let other = Options { allow_network_fs: vec!["another".to_owned()], ..Options::default() };
            assert!(local(path, magic, &other).is_err());
        }
    }

    #[test]
    fn a_local_file_system_is_not_refused() {
        for magic in [0xef53, 0x5846_5342, 0x9123_683e, 0x794c_7630, MEMORY[0]] {
            assert!(local(Path::new("/ledger"), magic, &Options::default()).is_ok());
        }
    }

    #[test]
    fn a_database_that_was_not_finished_is_made_anew() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::take(place.path(), &Options::default()).unwrap();
        let died = directory.ensure(|data| {
            std::fs::write(data.join("half"), b"").unwrap();
            Err(OpenError::damaged(data, "died"))
        });
        assert!(died.is_err());
        directory
            .ensure(|data| std::fs::write(data.join("whole"), b"").map_err(|e| OpenError::io(data, "", e)))
            .unwrap();
        assert!(directory.data().join("whole").exists() && !directory.data().join("half").exists());
        directory.ensure(|_| panic!("there is one")).unwrap();
    }

    #[test]
    fn only_the_owner_may_read_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("above/ledger");
        let directory = Directory::take(&path, &Options::default()).unwrap();
        directory.ensure(|_| Ok(())).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), OWNER_ONLY_DIR);
        assert_eq!(mode(&directory.data()), OWNER_ONLY_DIR);
        assert_eq!(mode(&path.join(LOCK)), OWNER_ONLY_FILE);
    }
}
