//! `check_mysql_slave`: see the library.

fn main() {
    common::plugin::main::<check_mysql_slave::CheckMysqlSlave>()
}
