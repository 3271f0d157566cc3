//! A small server, one thread for each connection, whose answers a test chooses.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// It ends with this.
pub(crate) struct Served {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

/// What was asked.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// By their names in small letters.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) key: String,
    pub(crate) body: String,
}

/// What is answered.
#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The connection ends.
    pub(crate) const NONE: Self = Self { status: 0, head: String::new(), body: String::new() };

    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, head: String::new(), body: body.to_owned() }
    }

    /// With another header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

/// What it has done.
#[derive(Default)]
pub(crate) struct Api {
    crashes: AtomicU32,
    effects: Mutex<Vec<Instant>>,
    answers: Mutex<HashMap<String, (String, Answer)>>,
}

impl Api {
    pub(crate) fn list(&self) -> Answer {
        self.list_of_what_is_older_than(Duration::ZERO)
    }

    /// What counts is behind.
    pub(crate) fn list_of_what_is_older_than(&self, age: Duration) -> Answer {
        let effects = self.effects.lock().expect("no answer panics");
        listed(effects.iter().filter(|effect| effect.elapsed() >= age).count())
    }

    /// The last of them, at most so many.
    pub(crate) fn page(&self, most: usize) -> Answer {
        listed(self.done().min(most))
    }

    pub(crate) fn total(&self) -> Answer {
        Answer::new(200, &format!("{{\"total\":{}}}", self.done()))
    }

    fn done(&self) -> usize {
        self.effects.lock().expect("no answer panics").len()
    }

    /// A worker takes up one, and needs so long for it.
    pub(crate) fn list_of_one_in_each(&self, time: Duration) -> Answer {
        let effects = self.effects.lock().expect("no answer panics");
        let mut free = None::<Instant>;
        let done = effects.iter().filter(|effect| {
            let ends = free.map_or(**effect, |free| free.max(**effect)) + time;
            free = Some(ends);
            ends <= Instant::now()
        });
        listed(done.count())
    }

    pub(crate) fn each_time(&self, status: u16) -> Answer {
        let mut effects = self.effects.lock().expect("no answer panics");
        effects.push(Instant::now());
        Answer::new(status, &format!("{{\"number\":{}}}", effects.len()))
    }

    /// Answers after some time. If this file is there it has crashed: what ran breaks off, and all is forgotten.
    pub(crate) fn forgetful(&self, crashed: &Path, time: Duration, act: impl Fn(&Self) -> Answer) -> Answer {
        self.look_for(crashed);
        let crashes = self.crashes.load(Ordering::Relaxed);
        let answer = act(self);
        // bounded: by the test; a client waits for it.
        thread::sleep(time);
        self.look_for(crashed);
        match self.crashes.load(Ordering::Relaxed) == crashes {
            true => answer,
            false => Answer::NONE,
        }
    }

    fn look_for(&self, crashed: &Path) {
        if fs::remove_file(crashed).is_ok() {
            self.crashes.fetch_add(1, Ordering::Relaxed);
            self.effects.lock().expect("no answer panics").clear();
        }
    }

    pub(crate) fn once_for_each_key(&self, asked: &Asked, status: u16) -> Answer {
        let mut answers = self.answers.lock().expect("no answer panics");
        let new = || (asked.body.clone(), self.each_time(status));
        answers.entry(asked.key.clone()).or_insert_with(new).1.clone()
    }

    pub(crate) fn once_for_each_key_and_each_body(&self, asked: &Asked) -> Answer {
        let known = {
            let answers = self.answers.lock().expect("no answer panics");
            answers.iter().any(|(key, (body, _))| *key != asked.key && *body == asked.body)
        };
        match known {
            true => Answer::new(409, r#"{"title":"there is such an order"}"#),
            false => self.once_for_each_key(asked, 201),
        }
    }

    /// By what is called so, whatever the key.
    pub(crate) fn once_for_each(&self, name: &str) -> Answer {
        let mut answers = self.answers.lock().expect("no answer panics");
        let new = || (String::new(), self.each_time(201));
        answers.entry(name.to_owned()).or_insert_with(new).1.clone()
    }

    pub(crate) fn is_known(&self, name: &str) -> bool {
        self.answers.lock().expect("no answer panics").contains_key(name)
    }

    /// The same, and who comes later is told that it is there.
    pub(crate) fn first_for_each(&self, name: &str) -> Answer {
        match self.is_known(name) {
            true => Answer::new(409, r#"{"title":"there is such an order"}"#),
            false => self.once_for_each(name),
        }
    }

    pub(crate) fn once_for_each_key_and_body(&self, asked: &Asked, act: impl FnOnce()) -> Answer {
        let mut answers = self.answers.lock().expect("no answer panics");
        let (body, answer) = answers.entry(asked.key.clone()).or_insert_with(|| {
            act();
            (asked.body.clone(), self.each_time(201))
        });
        match *body == asked.body {
            true => answer.clone(),
            false => Answer::new(422, r#"{"title":"another request"}"#),
        }
    }
}

fn listed(count: usize) -> Answer {
    Answer::new(200, &format!("[{}]", vec!["0"; count].join(",")))
}

impl Served {
    pub(crate) fn start(answer: impl Fn(&Asked, &Api) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let (over, answer, api) =
            (Arc::new(AtomicBool::new(false)), Arc::new(answer), Arc::new(Api::default()));
        let ends = Arc::clone(&over);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let (answer, api) = (Arc::clone(&answer), Arc::clone(&api));
                thread::spawn(move || serve(stream, |asked| answer(asked, &api)));
            }
        });
        Self { address, over }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It looks when somebody comes.
        drop(TcpStream::connect(self.address));
        // bounded: until nobody listens.
        while TcpStream::connect(self.address).is_ok() {
            thread::yield_now();
        }
    }
}

/// One request; whatever goes wrong with it, it is the verifier's to see.
fn serve(stream: TcpStream, answer: impl Fn(&Asked) -> Answer) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    // Whoever only looks whether it is there asks nothing.
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut asked = Asked { method, path, headers: HashMap::new(), key: String::new(), body: String::new() };
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name {
            "content-length" => length = value.parse().ok()?,
            "idempotency-key" => asked.key = value.to_owned(),
            _ => {}
        }
        asked.headers.insert(name.to_owned(), value.to_owned());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).ok()?;
    let Answer { status, head, body } = answer(&asked);
    if status == 0 {
        return None;
    }
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n{head}\r\n"
    );
    (&stream).write_all((head + &body).as_bytes()).ok()
}
