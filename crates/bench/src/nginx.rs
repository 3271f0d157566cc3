//! nginx as a plain proxy, set up as one would for speed: connections to the upstream kept, no access log.
//!
//! It runs from a directory of its own, and nothing of the distribution's configuration is read.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use onlyonce_testbed::process::{Port, Server};
use tokio::net::TcpStream;

use crate::{failure::Failure, system::Processes};

/// How often it is asked whether it listens, and how far apart.
const START_TRIES: u32 = 500;
const START_PAUSE: Duration = Duration::from_millis(10);

/// An nginx that runs.
pub(crate) struct Nginx {
    server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) processes: Processes,
    _port: Port,
}

impl Nginx {
    /// Starts it in `directory`, in front of `upstream`.
    pub(crate) async fn start(
        program: &Path,
        directory: &Path,
        upstream: SocketAddr,
    ) -> Result<Self, Failure> {
        let port = Port::reserve();
        fs::write(directory.join("nginx.conf"), configuration(port.addr(), upstream))?;
        let directory = directory.display().to_string();
        // What it says before it has read its configuration goes to a file as well.
        let arguments = ["-p", &directory, "-c", "nginx.conf", "-e", "error.log"];
        let mut server = Server::spawn(program, arguments, NO_ENVIRONMENT);
        for _ in 0..START_TRIES {
            if TcpStream::connect(port.addr()).await.is_ok() {
                let processes = Processes::family(server.pid())?;
                return Ok(Self { server, address: port.addr(), processes, _port: port });
            }
            if !server.is_running() {
                return Err(Failure::new(format!("nginx does not start:\n{}", server.output())));
            }
            // bounded: by START_TRIES.
            tokio::time::sleep(START_PAUSE).await;
        }
        Err(Failure::new("nginx runs and does not listen"))
    }

    /// Stops the master, which stops its workers.
    pub(crate) async fn stop(mut self) {
        // It may have ended, and then there is nothing to stop.
        let _ = self.server.sigterm();
        self.server.wait().await;
        // Their numbers may be somebody else's from now on.
        self.processes = Processes::of([]);
    }
}

impl Drop for Nginx {
    /// The server's drop kills the master alone, and its workers would live on.
    fn drop(&mut self) {
        self.processes.terminate();
    }
}

const NO_ENVIRONMENT: [(&str, &str); 0] = [];

fn configuration(listen: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "daemon off;
worker_processes auto;
pid nginx.pid;
error_log error.log error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream api {{
    server {upstream};
    keepalive 128;
    keepalive_requests 1000000000;
  }}
  server {{
    listen {listen};
    location / {{
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
    }}
  }}
}}
"
    )
}
