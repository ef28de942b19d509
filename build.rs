//! Links the released binary statically where a static C library is at hand: musl's, else GNU's.
//!
//! Start-up is part of every deployment step, and a dynamic loader would cost more of it than everything else
//! together (`docs/performance.md`). `-C target-feature=+crt-static` would do the same but cannot be set for
//! the binary alone: it refuses to build procedural macros. So the linker is told to link statically, and to find
//! an archive under each name that rustc asks a shared library for.
//!
//! GNU's start asks the processor 68 times what it is, which on a virtual machine is a quarter of a run; musl's does
//! not. rustc's own target for musl is one more to install, and would leave procedural macros and tests with another
//! C library than the program; what the program asks of it has the same layout in both (`docs/design.md`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What rustc links a GNU program against, and the archive that has the same.
const LIBRARIES: [(&str, &str); 7] = [
    ("gcc_s", "libgcc_eh.a"),
    ("c", "libc.a"),
    ("m", "libm.a"),
    ("util", "libutil.a"),
    ("rt", "librt.a"),
    ("pthread", "libpthread.a"),
    ("dl", "libdl.a"),
];

/// Where distributions put musl's archives and start files: Debian, Fedora, Arch, and musl's own default.
const MUSL: [&str; 4] = [
    "/usr/lib/x86_64-linux-musl",
    "/usr/x86_64-linux-musl/lib64",
    "/usr/lib/musl/lib",
    "/usr/local/musl/lib",
];

/// Functions that the standard library calls by the names which large files once had. musl since 1.2.4 has them only
/// by their plain names, which do the same.
const LARGE: [&str; 16] = [
    "fallocate",
    "fstat",
    "fstatat",
    "fstatfs",
    "ftruncate",
    "getrlimit",
    "lseek",
    "lstat",
    "mmap",
    "open",
    "openat",
    "pread",
    "pwrite",
    "readdir",
    "sendfile",
    "stat",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    let gnu_linux = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    let native = env::var("HOST").ok() == env::var("TARGET").ok();
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let asked_already = features.split(',').any(|f| f == "crt-static");
    if gnu_linux && native && !asked_already && is("PROFILE", "release") {
        let musl =
            if is("CARGO_CFG_TARGET_ARCH", "x86_64") && linker_is_rustc_s_own() { musl() } else { None };
        link_statically(musl.as_deref());
    }
}

/// The folder with musl, if it is installed.
fn musl() -> Option<PathBuf> {
    let found = MUSL.into_iter().map(PathBuf::from).find(|folder| folder.join("crt1.o").exists())?;
    println!("cargo:rerun-if-changed={}", found.join("libc.a").display());
    Some(found)
}

fn link_statically(musl: Option<&Path>) {
    let folder = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("static");
    fs::create_dir_all(&folder).expect("OUT_DIR can be written");
    for (library, archive) in LIBRARIES {
        let of_musl = musl.map(|musl| musl.join(archive)).filter(|path| path.exists());
        // Without an archive the program is linked as usual, and works as well, if not as fast.
        let Some(path) = of_musl.map(|path| path.display().to_string()).or_else(|| find(archive)) else {
            return;
        };
        let mut together = vec![path];
        if library == "c" {
            // They need each other, and some linkers look into an archive but once.
            together.extend(["libgcc.a", "libgcc_eh.a"].into_iter().filter_map(find));
        }
        let mut text = format!("GROUP({})\n", together.join(" "));
        if library == "c" && musl.is_some() {
            text.extend(LARGE.iter().map(|name| format!("PROVIDE({name}64 = {name});\n")));
        }
        fs::write(folder.join(format!("lib{library}.so")), text).expect("OUT_DIR can be written");
    }
    println!("cargo:rustc-link-arg-bins=-L{}", folder.display());
    println!("cargo:rustc-link-arg-bins=-static");
    println!("cargo:rustc-link-arg-bins=-no-pie");
    // Fewer pieces to map, fewer pages to fault in.
    println!("cargo:rustc-link-arg-bins=-Wl,-z,noseparate-code,-z,norelro");
    if linker_is_rustc_s_own() {
        if is_lld() {
            // GNU's does so anyway, and may not know the word.
            println!("cargo:rustc-link-arg-bins=-Wl,--no-rosegment");
        }
        leave_unwind_tables_out(&folder);
        put_the_start_together(&folder);
    }
    // The standard library asks where the stack ends, to say so should it overflow. The C library answers from
    // /proc/self/maps, which costs a thirtieth of a run. An answer that is not 0 means: not to be had.
    println!("cargo:rustc-link-arg-bins=-Wl,--defsym=pthread_getattr_np=getpid");
    match musl {
        Some(musl) => answer_for_gnu(musl),
        None => {
            // Where the program lies is asked for `$ORIGIN` in the paths of libraries, of which a static program
            // loads none; any text is as good an answer, and spares a look into /proc.
            println!("cargo:rustc-link-arg-bins=-Wl,--defsym=_dl_get_origin=gnu_get_libc_version");
            // The standard library starts programs by posix_spawn only if it finds this, and by the slower fork if
            // not.
            println!("cargo:rustc-link-arg-bins=-Wl,-u,gnu_get_libc_version");
        }
    }
}

/// What rustc's target and gcc's library ask of GNU's C library and musl does not have, or not by that name.
fn answer_for_gnu(musl: &Path) {
    // Its start files.
    println!("cargo:rustc-link-arg-bins=-B{}", musl.display());
    // The standard library asks for its version to know whether posix_spawn can be used, and takes a text that is no
    // number for a no. (A command is started by `src/command/spawn.rs`, which does not ask.) This one has a text for
    // every number.
    println!("cargo:rustc-link-arg-bins=-Wl,-u,strsignal,--defsym=gnu_get_libc_version=strsignal");
    // The unwinder looks for tables, which this program has not (`leave_unwind_tables_out`). Not 0 means: none.
    println!("cargo:rustc-link-arg-bins=-Wl,--defsym=_dl_find_object=getpid");
}

/// A linker that somebody chose may not understand sections in a script.
fn linker_is_rustc_s_own() -> bool {
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    env::var_os("RUSTC_LINKER").is_none() && !flags.contains("link-arg") && !flags.contains("linker")
}

/// What rustc links with on this processor since its 1.90.
fn is_lld() -> bool {
    let rustc = env::var_os("RUSTC").expect("cargo sets it");
    let said = Command::new(rustc).arg("--version").output();
    let version = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64")
        && minor.is_some_and(|minor| minor >= 90)
}

/// A tenth of the program would be tables for unwinding, and a panic ends this one at once (`panic = "abort"`).
/// What is lost is the list of functions that `RUST_BACKTRACE=1` prints with a panic, which is empty.
fn leave_unwind_tables_out(folder: &Path) {
    let script = folder.join("no-unwind.ld");
    let c_s_own = "*crtbeginT.o *crtend.o *libc.a:* *libgcc_eh.a:* *libgcc.a:*";
    let text = format!(
        "SECTIONS {{ /DISCARD/ : {{ *(EXCLUDE_FILE({c_s_own}) .eh_frame) \
         *(EXCLUDE_FILE({c_s_own}) .gcc_except_table .gcc_except_table.*) }} }}\nINSERT AFTER .text;\n"
    );
    fs::write(&script, text).expect("OUT_DIR can be written");
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    // Who asks for that list all the same (an error does, to be kept with it) must find it empty: without tables the
    // unwinder ends the program, silently. Its answer is not looked at.
    println!("cargo:rustc-link-arg-bins=-Wl,--defsym=_Unwind_Backtrace=getpid");
}

/// What every run goes through lies together, else each function of it is one more page fault.
fn put_the_start_together(folder: &Path) {
    println!("cargo:rerun-if-changed={ORDER}");
    let order = fs::read_to_string(ORDER).expect("it is part of the package");
    // Objects of the one C library and of the other, and functions.
    let section = |line: &str| match line.ends_with(".o") || line.ends_with(".lo") {
        true => format!("*{line}(.text .text.*)\n"),
        false => format!("*(.text.{line} .text.unlikely.{line})\n"),
    };
    let sections: String = order.lines().map(section).collect();
    let script = folder.join("start.ld");
    let text = format!(
        "SECTIONS {{ .text.start : {{ {sections} }} }}\nINSERT BEFORE .text;\n\
         SECTIONS {{ .data.start : {{ *(.data.rel.ro .data.rel.ro.*) *(.data .data.*) }} }}\nINSERT BEFORE .bss;\n"
    );
    fs::write(&script, text).expect("OUT_DIR can be written");
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
}

const ORDER: &str = "src/startup.order";

/// Where the C compiler has this file.
fn find(file: &str) -> Option<String> {
    let output = Command::new("cc").arg(format!("-print-file-name={file}")).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    Path::new(&path).is_absolute().then_some(path)
}
