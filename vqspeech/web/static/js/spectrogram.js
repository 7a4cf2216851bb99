// A spectrogram on a canvas: log power over a mel-like axis of frequency.

const SIZE = 512; // samples of a window, 32 ms
const FLOOR = 70; // dB below the loudest that are shown
const STOPS = [[13, 12, 29], [48, 22, 92], [126, 32, 122], [205, 60, 100], [246, 130, 78], [252, 205, 120], [255, 250, 215]];

const window512 = Float32Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
const reversed = Uint16Array.from({ length: SIZE }, (_, i) => {
  let [turned, rest] = [0, i];
  for (let bit = 1; bit < SIZE; bit *= 2, rest >>= 1) turned = turned * 2 + (rest & 1);
  return turned;
});

/** Powers of one window, `SIZE / 2` of them, by the fast Fourier transform. */
function powers(samples, start, into) {
  const re = new Float32Array(SIZE);
  const im = new Float32Array(SIZE);
  for (let i = 0; i < SIZE; i++) re[reversed[i]] = (samples[start + i] || 0) * window512[i];
  for (let half = 1; half < SIZE; half *= 2) {
    for (let k = 0; k < half; k++) {
      const [cos, sin] = [Math.cos((-Math.PI * k) / half), Math.sin((-Math.PI * k) / half)];
      for (let i = k; i < SIZE; i += 2 * half) {
        const j = i + half;
        const [r, m] = [re[j] * cos - im[j] * sin, re[j] * sin + im[j] * cos];
        [re[j], im[j]] = [re[i] - r, im[i] - m];
        re[i] += r;
        im[i] += m;
      }
    }
  }
  for (let i = 0; i < SIZE / 2; i++) into[i] += re[i] * re[i] + im[i] * im[i];
}

const mel = (hertz) => 1127 * Math.log(1 + hertz / 700);

/** Colour of a level from 0 to 1. */
function colour(level) {
  const at = Math.max(0, Math.min(0.9999, level)) * (STOPS.length - 1);
  const [low, share] = [Math.floor(at), at % 1];
  return STOPS[low].map((value, i) => value + (STOPS[low + 1][i] - value) * share);
}

/** Draw samples over the whole canvas; the canvas gets as many pixels as it is wide on the screen. */
export function drawSpectrogram(canvas, samples, rate) {
  const scale = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.max(64, Math.min(1600, Math.round(canvas.clientWidth * scale)));
  canvas.height = Math.max(48, Math.round(canvas.clientHeight * scale));
  canvas.getContext("2d").putImageData(spectrogram(samples, rate, canvas.width, canvas.height), 0, 0);
}

/** The picture of samples, of so many columns and rows. */
export function spectrogram(samples, rate, columns, rows) {
  const hop = samples.length / columns;
  const windows = Math.max(1, Math.min(4, Math.floor(hop / 160)));
  const bins = SIZE / 2;
  const spectra = new Float32Array(columns * bins);
  let loudest = 1e-9;
  for (let column = 0; column < columns; column++) {
    const into = spectra.subarray(column * bins, (column + 1) * bins);
    for (let n = 0; n < windows; n++) powers(samples, Math.round((column + (n + 0.5) / windows) * hop - SIZE / 2), into);
    for (const value of into) loudest = Math.max(loudest, value);
  }
  const image = new ImageData(columns, rows);
  const top = mel(rate / 2);
  const palette = Array.from({ length: 256 }, (_, i) => colour(i / 255));
  for (let row = 0; row < rows; row++) {
    const hertz = 700 * (Math.exp((((rows - 1 - row) / rows) * top) / 1127) - 1);
    const place = Math.min(bins - 2, (hertz / (rate / 2)) * bins);
    const [bin, share] = [Math.floor(place), place % 1];
    for (let column = 0; column < columns; column++) {
      const at = column * bins + bin;
      const power = spectra[at] * (1 - share) + spectra[at + 1] * share;
      const level = 1 + (10 * Math.log10(power / loudest + 1e-12)) / FLOOR;
      const [r, g, b] = palette[Math.round(255 * Math.max(0, Math.min(1, level)))];
      const pixel = 4 * (row * columns + column);
      image.data[pixel] = r;
      image.data[pixel + 1] = g;
      image.data[pixel + 2] = b;
      image.data[pixel + 3] = 255;
    }
  }
  return image;
}
