//! nginx, Apache, Postfix, Dovecot and Exim with any lines about TLS, as an administrator writes them. The TLS library
//! below forbids nothing, so that what they offer is decided by these lines alone.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Keys, TlsServer};
use crate::postfix::{self, write_queue};
use crate::process::{Group, is_root, prepared, require_root};
use crate::tls_script::Protocol;

/// A program of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// HTTPS.
    Nginx,
    /// HTTPS.
    Apache,
    /// SMTP with STARTTLS.
    Postfix,
    /// IMAP with STARTTLS, by the settings of 2.3.
    Dovecot23,
    /// IMAP with STARTTLS, by the settings of 2.4.
    Dovecot24,
    /// SMTP with STARTTLS, as Debian builds it.
    EximGnutls,
    /// SMTP with STARTTLS, as most others build it; see [`left_out_without_exim_openssl`].
    EximOpenssl,
}

/// Old versions and short keys are the server's business, not the library's.
const LAX: &str = "openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = lax
[lax]
MinProtocol = TLSv1
CipherString = DEFAULT:@SECLEVEL=0
";

/// Starts the program with these lines, which are about certificate and key, too. A release of a newer Debian is
/// started with [`Keys::newer`].
#[must_use]
pub fn start(software: Software, keys: &Keys, lines: &[String]) -> TlsServer {
    let library = keys.folder().join("openssl.cnf");
    fs::write(&library, LAX).expect("the lab's folder is writable");
    let library = keys.inner(&library);
    let name = format!("{software:?}");
    let group = if software == Software::Postfix { Group::FromDaemon } else { Group::FromLab };
    let server = TlsServer::start_in(group, &name, keys, &[], |port| {
        let folder = keys.folder().join(format!("{name}-{port}"));
        fs::create_dir(&folder).expect("the lab's folder is writable");
        let site = Site { keys, folder: &folder, library: &library, port, lines };
        let mut command = match software {
            Software::Nginx => site.nginx(),
            Software::Apache => site.apache(),
            Software::Postfix => site.postfix(),
            Software::Dovecot23 => site.dovecot(OLD_DOVECOT),
            Software::Dovecot24 => site.dovecot(NEW_DOVECOT),
            Software::EximGnutls => site.exim("exim"),
            Software::EximOpenssl => site.exim("exim-openssl"),
        };
        command.env("OPENSSL_CONF", &library);
        command
    });
    match software {
        Software::Nginx | Software::Apache => server,
        Software::Postfix | Software::EximGnutls | Software::EximOpenssl => server.behind(Protocol::Smtp),
        Software::Dovecot23 | Software::Dovecot24 => server.behind(Protocol::Imap),
    }
}

/// Whether a scenario has to be left out because `tests/run` could not build it (it sets `VEDETTE_WITHOUT_EXIM_OPENSSL`),
/// and says so.
#[must_use]
pub fn left_out_without_exim_openssl() -> bool {
    let without = std::env::var_os("VEDETTE_WITHOUT_EXIM_OPENSSL").is_some();
    if without {
        println!("LEFT OUT: Exim with OpenSSL could not be built");
    }
    without
}

/// What a configuration is made of.
struct Site<'a> {
    keys: &'a Keys,
    folder: &'a Path,
    library: &'a Path,
    port: u16,
    lines: &'a [String],
}

impl Site<'_> {
    /// The folder as the server sees it.
    fn base(&self) -> PathBuf {
        self.keys.inner(self.folder)
    }

    /// Writes the configuration and tells where the server finds it.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("the lab's folder is writable");
        self.keys.inner(&path)
    }

    fn nginx(&self) -> Command {
        let base = self.base();
        let base = base.display();
        let mut text = "daemon off;\nmaster_process off;\nerror_log stderr;\nevents {}\nhttp {\n".to_owned();
        let _ = writeln!(text, "access_log off;");
        for name in ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"] {
            let _ = writeln!(text, "{name}_temp_path {base}/{name};");
        }
        let _ = writeln!(
            text,
            "server {{\nlisten 127.0.0.1:{} ssl;\n{}\n}}\n}}",
            self.port,
            self.lines.join("\n")
        );
        let config = self.write("nginx.conf", &format!("pid {base}/pid;\n{text}"));
        let mut command = self.keys.command("/usr/sbin/nginx", "nginx-light");
        command.arg("-p").arg(self.base()).arg("-c").arg(config).args(["-e", "stderr"]);
        command
    }

    fn apache(&self) -> Command {
        let base = self.base();
        let base = base.display();
        let log = self.keys.inner(&self.keys.folder().join(format!("{}.log", self.port)));
        let mut text = format!("ServerRoot {base}\nServerName tls.test\nPidFile {base}/pid\n");
        let _ = writeln!(
            text,
            "DefaultRuntimeDir {base}\nErrorLog {}\nListen 127.0.0.1:{}",
            log.display(),
            self.port
        );
        for module in ["mpm_event", "authz_core", "ssl"] {
            let _ = writeln!(text, "LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so");
        }
        if is_root() {
            text.push_str("User www-data\nGroup www-data\n");
        }
        let _ = writeln!(text, "SSLSessionCache none\nSSLEngine on\n{}", self.lines.join("\n"));
        let config = self.write("apache2.conf", &text);
        let mut command = self.keys.command("/usr/sbin/apache2", "apache2-bin");
        command.arg("-DFOREGROUND").arg("-f").arg(config);
        command
    }

    fn postfix(&self) -> Command {
        require_root("Postfix");
        write_queue(self.folder);
        let base = self.base();
        let base = base.display();
        let daemons = Path::new("/usr/lib/postfix/sbin");
        let log = self.keys.inner(&self.keys.folder().join(format!("{}.log", self.port)));
        let mut main = format!(
            "compatibility_level = 3.6\nqueue_directory = {base}/queue\ndata_directory = {base}/data\n"
        );
        let _ = writeln!(main, "daemon_directory = {}\nmaillog_file = {}", daemons.display(), log.display());
        let prefix = self.keys.inner(self.keys.folder());
        let _ = writeln!(main, "maillog_file_prefixes = {}\ninet_protocols = ipv4", prefix.display());
        let _ = writeln!(main, "import_environment = MAIL_CONFIG OPENSSL_CONF={}", self.library.display());
        main.push_str("myhostname = tls.test\nmydestination =\nalias_maps =\nlocal_recipient_maps =\n");
        main.push_str("smtpd_peername_lookup = no\n");
        main.push_str(&self.lines.join("\n"));
        main.push('\n');
        let master = format!("127.0.0.1:{} inet n - n - - smtpd\n{}", self.port, postfix::HELPERS);
        postfix::write_files(self.folder, &main, &master);
        let mut command = self.keys.command(&daemons.join("master").to_string_lossy(), "postfix");
        let config = self.base().join("conf");
        command.arg("-c").arg(&config).env("MAIL_CONFIG", &config);
        command
    }

    fn dovecot(&self, dialect: &str) -> Command {
        require_root("Dovecot");
        let base = self.base();
        for name in ["run", "state"] {
            fs::create_dir(self.folder.join(name)).expect("the lab's folder is writable");
        }
        let text = dialect
            .replace("BASE", &base.to_string_lossy())
            .replace("LIBRARY", &self.library.to_string_lossy())
            .replace("PORT", &self.port.to_string());
        let config = self.write("dovecot.conf", &format!("{text}{}\n", self.lines.join("\n")));
        let mut command = self.keys.command("/usr/sbin/dovecot", "dovecot-imapd");
        command.arg("-F").arg("-c").arg(config);
        command
    }

    fn exim(&self, build: &str) -> Command {
        require_root("Exim");
        let base = self.base();
        let base = base.display();
        let logs = self.folder.join("log");
        fs::create_dir(&logs).expect("the lab's folder is writable");
        // Exim writes there as its own user, and reads the key.
        fs::set_permissions(&logs, Permissions::from_mode(0o777)).expect("the folder is ours");
        for key in self.lines.iter().filter_map(|line| line.strip_prefix("tls_privatekey = ")) {
            fs::set_permissions(key, Permissions::from_mode(0o644)).expect("the key is ours");
        }
        let text = format!(
            "primary_hostname = tls.test
exim_user = mail
exim_group = mail
spool_directory = {base}/spool
log_file_path = {base}/log/%s.txt
local_interfaces = <; {}
daemon_smtp_ports = {}
tls_advertise_hosts = *
host_lookup =
rfc1413_hosts =
keep_environment = OPENSSL_CONF
queue_only = true
smtp_accept_max = 0
{}
",
            Ipv4Addr::LOCALHOST,
            self.port,
            self.lines.join("\n")
        );
        let config = self.write("exim.conf", &text);
        let mut command = Command::new(prepared(&format!("{build}/exim")));
        if build == "exim" {
            command.env("LD_LIBRARY_PATH", prepared("exim/lib"));
        }
        command.arg("-bdf").arg("-C").arg(config);
        command.arg("-oP").arg(self.base().join("pid"));
        command
    }
}

const OLD_DOVECOT: &str = "base_dir = BASE/run
state_dir = BASE/state
log_path = /dev/stderr
listen = 127.0.0.1
protocols = imap
mail_location = maildir:/nonexistent
import_environment = TZ OPENSSL_CONF=LIBRARY
ssl = yes
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}
service imap-login {
  service_count = 0
  inet_listener imap {
    port = PORT
  }
  inet_listener imaps {
    port = 0
  }
}
";

const NEW_DOVECOT: &str = "dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = BASE/run
state_dir = BASE/state
log_path = /dev/stderr
listen = 127.0.0.1
protocols = imap
mail_driver = maildir
mail_path = /nonexistent
import_environment {
  OPENSSL_CONF = LIBRARY
}
ssl = yes
passdb static {
  fields {
    nopassword = yes
  }
}
userdb static {
  fields {
    uid = 65534
    gid = 65534
    home = /nonexistent
  }
}
service imap-login {
  restart_request_count = unlimited
  inet_listener imap {
    port = PORT
  }
  inet_listener imaps {
    port = 0
  }
}
";
