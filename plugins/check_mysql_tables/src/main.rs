//! `check_mysql_tables`: see the library.

fn main() {
    common::plugin::main::<check_mysql_tables::CheckMysqlTables>()
}
