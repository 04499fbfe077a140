//! A client of the JSON-RPC interface.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

/// Who is logged in.
#[derive(Clone, Debug)]
pub struct Api {
    port: u16,
    token: Option<String>,
    /// Releases before 6.4 want the token in the body.
    token_in_body: bool,
}

impl Api {
    /// Logs in with the account that every new database has.
    #[must_use]
    pub fn login(port: u16, token_in_body: bool) -> Self {
        let mut api = Self { port, token: None, token_in_body };
        let token = api.call("user.login", &json!({"username": "Admin", "password": "zabbix"}));
        api.token = Some(token.as_str().expect("a token").to_owned());
        api
    }

    /// Calls a method, which must succeed.
    pub fn call(&self, method: &str, parameters: &Value) -> Value {
        let answer = self.ask(method, parameters);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The whole answer.
    fn ask(&self, method: &str, parameters: &Value) -> Value {
        let mut request = json!({"jsonrpc": "2.0", "method": method, "params": parameters, "id": 1});
        let mut header = String::new();
        if let Some(token) = &self.token {
            if self.token_in_body {
                request["auth"] = token.as_str().into();
            } else {
                header = format!("Authorization: Bearer {token}\r\n");
            }
        }
        let body = request.to_string();
        let head = format!(
            "POST /api_jsonrpc.php HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json-rpc\r\n\
             {header}Content-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the front-end listens");
        stream.set_read_timeout(Some(Duration::from_mins(2))).expect("a time limit");
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let text = String::from_utf8_lossy(&answer);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{method}: {error}\n{text}"))
    }
}
