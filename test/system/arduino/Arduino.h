// As much of Arduino for ESP32 as the sketch of docs/first-esp32.md uses, on a serial line of this machine.
#pragma once
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

inline uint32_t millis() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  // A device counts from its start, and begins with some time on its clock.
  static time_t start = now.tv_sec - 10;
  return (uint32_t)((now.tv_sec - start) * 1000 + now.tv_nsec / 1000000);
}

struct SerialPort {
  int line = -1;
  void begin(long) {}
  bool available() {
    pollfd wait{line, POLLIN, 0};
    return poll(&wait, 1, 1) > 0 && (wait.revents & POLLIN);
  }
  int read() {
    uint8_t byte = 0;
    return ::read(line, &byte, 1) == 1 ? byte : -1;
  }
  size_t write(uint8_t byte) { return write(&byte, 1); }
  size_t write(const uint8_t *bytes, size_t count) { return ::write(line, bytes, count) < 0 ? 0 : count; }
};
static SerialPort Serial;

struct Chip {
  uint64_t getEfuseMac() { return 0xA1B2C3D4E5F60718; }
};
static Chip ESP;

inline uint32_t analogReadMilliVolts(int) { return 1234; }

void setup();
void loop();

int main(int, char **arguments) {
  Serial.line = open(arguments[1], O_RDWR | O_NOCTTY);
  if (Serial.line < 0) return 1;
  termios raw;
  tcgetattr(Serial.line, &raw);
  cfmakeraw(&raw);
  tcsetattr(Serial.line, TCSANOW, &raw);
  setup();
  for (;;) loop();
}
