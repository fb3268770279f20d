/*
 * What the same work costs in C: plain frames from many connections in, one PUBLISH of about 100 bytes each out.
 *
 *   reference BROKER_PORT QOS     prints its port; "u" on standard input gives its CPU microseconds; ends with its input
 *
 *   in     length u16 = 30 | device u64 | seq u32 | 4 x i16 | 10 of nothing
 *   back   u32: frames taken on this connection
 *
 * One thread, epoll, snprintf, MQTT 3.1.1, a window of 1,000 with QoS 1, one write to the broker a turn.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { FRAME = 32, WINDOW = 1000, EVENTS = 256, READ = 4096, PACKET = 256, OUT = 1 << 20 };

struct device {
  int fd;
  int have; /* bytes of an unfinished frame, at the beginning of in */
  uint32_t taken;
  uint8_t in[READ];
};

static int epoll_fd, broker, qos;
static uint8_t out[OUT];
static size_t out_from, out_to;
static uint16_t next_id = 1;
static int in_flight;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t be(const uint8_t *p, int n) {
  uint64_t v = 0;
  while (n--) v = v << 8 | *p++;
  return v;
}

static void publish(const uint8_t *frame, long long unix_ms) {
  char topic[64], json[160];
  unsigned long long id = be(frame + 2, 8);
  uint32_t seq = (uint32_t)be(frame + 10, 4);
  int t = snprintf(topic, sizeof topic, "bytes2mqtt/%016llx", id);
  int j = snprintf(json, sizeof json, "{\"ch0\":%d,\"ch1\":%d,\"ch2\":%d,\"ch3\":%d,\"ts\":%lld,\"id\":\"%016llx-1-%u\"}",
                   (int16_t)be(frame + 14, 2), (int16_t)be(frame + 16, 2), (int16_t)be(frame + 18, 2),
                   (int16_t)be(frame + 20, 2), unix_ms, id, seq);
  uint8_t *p = out + out_to;
  int length = 2 + t + (qos ? 2 : 0) + j;
  *p++ = qos ? 0x32 : 0x30;
  if (length < 128) {
    *p++ = (uint8_t)length;
  } else {
    *p++ = (uint8_t)(length | 128);
    *p++ = (uint8_t)(length >> 7);
  }
  *p++ = 0;
  *p++ = (uint8_t)t;
  memcpy(p, topic, t);
  p += t;
  if (qos) {
    *p++ = next_id >> 8;
    *p++ = next_id & 255;
    if (++next_id == 0) next_id = 1;
    in_flight++;
  }
  memcpy(p, json, j);
  out_to = p + j - out;
}

/* Whether everything that one read can bring has room. */
static int has_room(void) {
  int frames = READ / FRAME;
  return (!qos || in_flight + frames <= WINDOW) && OUT - out_to >= (size_t)frames * PACKET;
}

static void flush(void) {
  while (out_from < out_to) {
    ssize_t n = write(broker, out + out_from, out_to - out_from);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) die("write to the broker");
    out_from += n;
  }
  out_from = out_to = 0;
}

static void serve(struct device *d, long long unix_ms) {
  ssize_t n = read(d->fd, d->in + d->have, READ - d->have);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    close(d->fd);
    free(d);
    return;
  }
  int end = d->have + (int)n, at = 0;
  for (; end - at >= FRAME; at += FRAME) {
    publish(d->in + at, unix_ms);
    d->taken++;
  }
  d->have = end - at;
  memmove(d->in, d->in + at, d->have);
  uint32_t back = htonl(d->taken);
  if (at > 0 && write(d->fd, &back, 4) != 4) close(d->fd);
}

/* Only CONNACK and PUBACK come, both of four bytes. */
static void hear_broker(void) {
  static uint8_t in[65536];
  static int have;
  ssize_t n = read(broker, in + have, sizeof in - have);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) exit(0);
  int end = have + (int)n, at = 0;
  for (; end - at >= 4; at += 4)
    if (in[at] == 0x40) in_flight--;
  have = end - at;
  memmove(in, in + at, have);
}

static void hear_owner(void) {
  char line[64];
  if (read(0, line, sizeof line) <= 0) exit(0);
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  printf("%lld\n", (long long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec);
  fflush(stdout);
}

static void accept_device(int listener) {
  int one = 1, fd = accept(listener, NULL, NULL);
  if (fd < 0) return;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct device *d = calloc(1, sizeof *d);
  if (d == NULL) die("calloc");
  d->fd = fd;
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = d};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  qos = atoi(argv[2]);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  broker = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(broker, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
  int one = 1;
  setsockopt(broker, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  static const uint8_t hello[] = {0x10, 15, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 3, 'r', 'e', 'f'};
  if (write(broker, hello, sizeof hello) != sizeof hello) die("write");
  fcntl(broker, F_SETFL, O_NONBLOCK);

  int listener = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_port = 0;
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 511) < 0) die("listen");
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);

  int mark_broker, mark_listener, mark_owner;
  epoll_fd = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = &mark_broker};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, broker, &e);
  e.data.ptr = &mark_listener;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
  e.data.ptr = &mark_owner;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &e);

  for (;;) {
    if (!has_room() || out_from < out_to) {
      /* The way onward is full: only the broker, and our owner, are heard. */
      struct pollfd fds[2] = {{broker, POLLIN | (out_from < out_to ? POLLOUT : 0), 0}, {0, POLLIN, 0}};
      poll(fds, 2, -1);
      if (fds[0].revents & (POLLIN | POLLHUP)) hear_broker();
      if (fds[1].revents) hear_owner();
      flush();
      if (!has_room()) continue;
    }
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll_fd, events, EVENTS, -1);
    struct timeval now;
    gettimeofday(&now, NULL);
    long long unix_ms = (long long)now.tv_sec * 1000 + now.tv_usec / 1000;
    for (int i = 0; i < n; i++) {
      void *who = events[i].data.ptr;
      if (who == &mark_broker) hear_broker();
      else if (who == &mark_listener) accept_device(listener);
      else if (who == &mark_owner) hear_owner();
      else if (has_room()) serve(who, unix_ms);
    }
    flush();
  }
}
