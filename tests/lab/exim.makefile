# Exim with OpenSSL and little else, for tests/run. Paths are given on the command line and in the configuration.
BIN_DIRECTORY=/nonexistent
CONFIGURE_FILE=/nonexistent
SPOOL_DIRECTORY=/nonexistent
EXIM_USER=mail
EXIM_GROUP=mail
FIXED_NEVER_USERS=root
USE_OPENSSL=yes
TLS_LIBS=-lssl -lcrypto
PCRE2_CONFIG=yes
USE_GDBM=yes
DBMLIB=-lgdbm
ROUTER_REDIRECT=yes
LOOKUP_LSEARCH=yes
TRANSPORT_SMTP=yes
SYSLOG_LOG_PID=yes
CFLAGS=-O0
