#include "gdbstub/gdb_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gdbstub/session.h"
#include "gdbstub/target_timeline.h"

#define INPUT_SIZE   KIB(64)
#define OUTPUT_EASY  KIB(256) /* with more than that waiting, gdb's packets wait too */
#define OUTPUT_FULL  MIB(1)   /* with more, the server waits for gdb to read ... */
#define PATIENCE_MS  10000    /* ... but not longer */
#define WRITE_SIZE   4096     /* what a pipe takes when poll() says that it takes something */
#define CTRL_C	     0x03
#define DEFAULT_HOST "127.0.0.1"

struct gdb_server {
	struct timeline *timeline;
	struct gdb_server_options options;
	int listener; /* -1: it was attached */
	int in, out;  /* -1: no gdb is connected */
	bool ended;
	bool broken; /* this gdb is gone, or does not read what it asked for */
	char address[128];
	size_t input_length, input_done;
	size_t output_length, output_done, output_room;
	u8 *output;
	u8 input[INPUT_SIZE];
	struct gdb_tape tape;
	struct gdb_session session;
};

/* --- bytes out -------------------------------------------------------------------------------- */

static bool can(int fd, short what, int patience)
{
	struct pollfd poller = { .fd = fd, .events = what };

	return poll(&poller, 1, patience) > 0;
}

/* Writes what can be written at once, after waiting for at most @patience for the first bytes. */
static void write_out(struct gdb_server *server, int patience)
{
	while (!server->broken && server->output_done < server->output_length &&
	       can(server->out, POLLOUT, patience)) {
		const size_t size = MIN(server->output_length - server->output_done, WRITE_SIZE);
		const ssize_t done = write(server->out, server->output + server->output_done, size);

		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (done < 0)
			server->broken = true;
		else
			server->output_done += (size_t)done;
		patience = 0;
	}
	if (server->output_done == server->output_length)
		server->output_done = server->output_length = 0;
}

static void append(struct gdb_server *server, const void *bytes, size_t size)
{
	if (server->output_done) {
		server->output_length -= server->output_done;
		memmove(server->output, server->output + server->output_done,
			server->output_length);
		server->output_done = 0;
	}
	if (server->output_length + size > server->output_room) {
		const size_t room = 2 * (server->output_length + size);
		u8 *const output = realloc(server->output, room);

		if (!output) {
			server->broken = true;
			return;
		}
		server->output = output;
		server->output_room = room;
	}
	memcpy(server->output + server->output_length, bytes, size);
	server->output_length += size;
}

static size_t waiting(const struct gdb_server *server)
{
	return server->output_length - server->output_done;
}

static void link_send(void *owner, const void *bytes, size_t size)
{
	struct gdb_server *const server = owner;

	if (server->broken)
		return;
	append(server, bytes, size);
	write_out(server, 0);
	while (!server->broken && waiting(server) > OUTPUT_FULL) {
		const size_t before = waiting(server);

		write_out(server, PATIENCE_MS);
		if (waiting(server) == before)
			server->broken = true;
	}
}

static bool link_has_room(void *owner)
{
	const struct gdb_server *const server = owner;

	return !server->broken && waiting(server) < OUTPUT_EASY;
}

static bool link_interrupted(void *owner)
{
	return gdb_server_interrupted(owner);
}

static const struct gdb_link server_link = {
	.send = link_send,
	.has_room = link_has_room,
	.interrupted = link_interrupted,
};

/* --- bytes in --------------------------------------------------------------------------------- */

static void read_in(struct gdb_server *server)
{
	while (!server->broken && server->input_length < INPUT_SIZE && can(server->in, POLLIN, 0)) {
		const ssize_t done = read(server->in, server->input + server->input_length,
					  INPUT_SIZE - server->input_length);

		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (done <= 0)
			server->broken = true;
		else
			server->input_length += (size_t)done;
	}
}

/* While gdb waits it has nothing to say but Ctrl-C: one that floods is not waiting. */
bool gdb_server_interrupted(struct gdb_server *server)
{
	if (server->in < 0)
		return false;
	read_in(server);
	write_out(server, 0);
	return server->broken || server->input_length == INPUT_SIZE ||
	       memchr(server->input + server->input_done, CTRL_C,
		      server->input_length - server->input_done);
}

static bool poll_timeline(void *owner, u64 done, u64 total)
{
	(void)done;
	(void)total;
	return gdb_server_interrupted(owner);
}

/* A byte at a time, so that what gdb sends meanwhile is found behind it. */
static void feed(struct gdb_server *server)
{
	while (server->input_done < server->input_length && server->session.end == GDB_GOES_ON &&
	       link_has_room(server)) {
		const u8 byte = server->input[server->input_done++];

		gdb_session_feed(&server->session, &byte, 1);
	}
	server->input_length -= server->input_done;
	memmove(server->input, server->input + server->input_done, server->input_length);
	server->input_done = 0;
}

/* --- coming and going ------------------------------------------------------------------------- */

static void connect_gdb(struct gdb_server *server, int in, int out)
{
	server->in = in;
	server->out = out;
	server->broken = false;
	server->input_length = server->input_done = 0;
	server->output_length = server->output_done = 0;
	timeline_on_poll(server->timeline, poll_timeline, server);
	if (!server->options.ops)
		gdb_tape_start(&server->tape, server->timeline, server->options.verb,
			       server->options.owner);
	gdb_session_start(
		&server->session, server->options.ops ? server->options.ops : &gdb_tape_ops,
		server->options.ops ? server->options.target : &server->tape, &server_link, server);
}

static void disconnect_gdb(struct gdb_server *server)
{
	if (server->in < 0)
		return;
	write_out(server, 0);
	gdb_session_stop(&server->session);
	if (!server->options.ops)
		gdb_tape_stop(&server->tape);
	timeline_on_poll(server->timeline, NULL, NULL);
	if (server->listener >= 0)
		close(server->in);
	server->in = server->out = -1;
	server->ended = server->ended || server->listener < 0 || server->options.once ||
			server->session.end == GDB_KILLED;
}

static void accept_gdb(struct gdb_server *server)
{
	const int yes = 1;
	const int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (server->in >= 0) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	connect_gdb(server, fd, fd);
}

unsigned gdb_server_fds(const struct gdb_server *server, struct pollfd *fds)
{
	unsigned count = 0;

	if (server->listener >= 0)
		fds[count++] = (struct pollfd){ .fd = server->listener, .events = POLLIN };
	if (server->in >= 0)
		fds[count++] = waiting(server)
				       ? (struct pollfd){ .fd = server->out, .events = POLLOUT }
				       : (struct pollfd){ .fd = server->in, .events = POLLIN };
	return count;
}

bool gdb_server_step(struct gdb_server *server)
{
	if (server->listener >= 0 && can(server->listener, POLLIN, 0))
		accept_gdb(server);
	if (server->in >= 0) {
		write_out(server, 0);
		if (link_has_room(server))
			read_in(server);
		/* What came before it went is still answered, if to nobody. */
		feed(server);
		if (server->broken || server->session.end != GDB_GOES_ON)
			disconnect_gdb(server);
	}
	return !server->ended;
}

/* --- life ------------------------------------------------------------------------------------- */

static struct gdb_server *new_server(struct timeline *timeline,
				     const struct gdb_server_options *options)
{
	struct gdb_server *const server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->timeline = timeline;
	server->options = *options;
	server->listener = server->in = server->out = -1;
	return server;
}

struct gdb_server *gdb_server_attach(struct timeline *timeline, int in, int out,
				     const struct gdb_server_options *options)
{
	struct gdb_server *const server = new_server(timeline, options);

	if (server)
		connect_gdb(server, in, out);
	return server;
}

void gdb_server_close(struct gdb_server *server)
{
	if (!server)
		return;
	disconnect_gdb(server);
	if (server->listener >= 0)
		close(server->listener);
	free(server->output);
	free(server);
}

const char *gdb_server_address(const struct gdb_server *server)
{
	return server->address;
}

bool gdb_server_is_connected(const struct gdb_server *server)
{
	return server->in >= 0;
}

/* --- listening -------------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
	return address->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* "host:port", "[host]:port", ":port" or "port" into its parts. */
static bool split(const char *text, char *host, size_t size, const char **port)
{
	const char *const colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;

	*port = colon ? colon + 1 : text;
	if (length && *text == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length >= size || !**port || strspn(*port, "0123456789") != strlen(*port) ||
	    strlen(*port) > 5 || atoi(*port) > 65535)
		return false;
	snprintf(host, size, "%.*s", (int)length, text);
	if (!length)
		snprintf(host, size, DEFAULT_HOST);
	return true;
}

static void note_address(struct gdb_server *server)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	char host[64], port[16];

	if (getsockname(server->listener, (struct sockaddr *)&address, &length) ||
	    getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	snprintf(server->address, sizeof(server->address),
		 address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static int listen_at(const struct addrinfo *info)
{
	const int yes = 1;
	const int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (!bind(fd, info->ai_addr, info->ai_addrlen) && !listen(fd, 4))
		return fd;
	close(fd);
	return -1;
}

enum status gdb_server_listen(struct timeline *timeline, const char *address, bool anywhere,
			      const struct gdb_server_options *options, struct gdb_server **server,
			      char *error, size_t size)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	enum status status = ST_OK;
	struct addrinfo *info;
	const char *port;
	char host[256];
	int fd = -1;

	*server = NULL;
	if (!split(address, host, sizeof(host), &port)) {
		snprintf(error, size, "'%s' is no ADDRESS:PORT, such as 127.0.0.1:1234", address);
		return ST_INVALID;
	}
	if (getaddrinfo(host, port, &hints, &info)) {
		snprintf(error, size, "'%s': there is no such address", host);
		return ST_INVALID;
	}
	if (!anywhere && !is_loopback(info->ai_addr)) {
		snprintf(
			error, size,
			"'%s' can be reached from outside of this machine; listen at 127.0.0.1, or "
			"give --anywhere if everybody may read the tape",
			host);
		status = ST_UNSUPPORTED;
	} else {
		fd = listen_at(info);
		if (fd < 0) {
			snprintf(error, size, "cannot listen at '%s': %s", address,
				 strerror(errno));
			status = ST_IO;
		}
	}
	freeaddrinfo(info);
	if (status != ST_OK)
		return status;
	*server = new_server(timeline, options);
	if (!*server) {
		close(fd);
		snprintf(error, size, "%s", status_text(ST_NO_MEMORY));
		return ST_NO_MEMORY;
	}
	(*server)->listener = fd;
	note_address(*server);
	return ST_OK;
}
