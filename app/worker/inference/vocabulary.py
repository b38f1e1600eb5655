"""Text to tokens and back, for one loaded model."""

import ctypes
import re
import threading
from typing import Any

from app.worker.inference.native import lib
from app.worker.inference.native_model import NativeModel

_SENTENCEPIECE = 1  # LLAMA_VOCAB_TYPE_SPM
_MARK = "\x01"  # in no text worth reading; SentencePiece gives it a byte token of its own
_BREAK = "\u2060"  # word joiner: no width, no break


class Vocabulary:
    """The model's tokenizer. Reading methods may be called from any thread while the model is loaded.

    Attributes:
        pointer: `llama_vocab *`.
        n_tokens: size of the vocabulary.
        bos_text: text of the token that begins a text; empty where there is none.
        eos_text: text of the token that ends one.
        end_tokens: those that usually end an answer.
        control_tokens: those that steer and are not shown.
    """

    def __init__(self, model: NativeModel) -> None:
        """Read what is asked for often; takes tens of milliseconds for a large vocabulary."""
        self.pointer = self._vocab = model.vocab
        self.n_tokens = int(lib.llama_vocab_n_tokens(self._vocab))
        self._bos = int(lib.llama_vocab_bos(self._vocab))
        self._adds_bos = bool(lib.llama_vocab_get_add_bos(self._vocab)) and self._bos >= 0
        self._is_sentencepiece = int(lib.llama_vocab_type(self._vocab)) == _SENTENCEPIECE
        self._pieces: dict[int, tuple[bytes, bytes] | None] = {}
        self._buffer = ctypes.create_string_buffer(256)
        self._buffer_lock = threading.Lock()
        self.bos_text = self._text_of(self._bos)
        self.eos_text = self._text_of(int(lib.llama_vocab_eos(self._vocab)))
        endings = (int(lib.llama_vocab_eot(self._vocab)), int(lib.llama_vocab_eos(self._vocab)))
        self.end_tokens = [n for n in endings if n >= 0 and lib.llama_vocab_is_eog(self._vocab, n)]
        is_control, vocab = lib.llama_vocab_is_control, self._vocab
        self.control_tokens = [token for token in range(self.n_tokens) if is_control(vocab, token)]
        self._controls = self._control_pattern()

    def _text_of(self, token: int) -> str:
        return self._read_piece(token, True).decode("utf-8", "replace") if token >= 0 else ""

    def _control_pattern(self) -> re.Pattern[str] | None:
        texts = {self._text_of(token) for token in self.control_tokens}
        longest_first = sorted((text for text in texts if len(text) > 1), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def defused(self, text: str) -> str:
        """Give the text with the spelling of control tokens broken by an invisible character.

        Else a document that holds, say, `<|im_end|>` could end its turn and speak as the system.
        """
        if self._controls is None:
            return text
        return self._controls.sub(lambda match: match[0][0] + _BREAK + match[0][1:], text)

    def has(self, text: str) -> bool:
        """Whether the text is one token of the vocabulary."""
        return len(self._tokenize(text)) == 1

    def tokenize_prompt(self, text: str) -> list[int]:
        """Give the tokens of a rendered prompt, with the beginning token where the model wants one."""
        tokens = self._tokenize(text)
        if self._adds_bos and tokens[:1] != [self._bos]:
            tokens.insert(0, self._bos)
        return tokens

    def tokenize_continuation(self, text: str) -> list[int]:
        """Give the tokens of a text that follows others, without what a tokenizer puts before a beginning."""
        if not self._is_sentencepiece or not text:
            return self._tokenize(text)
        # SentencePiece puts a space before a text: hide the beginning behind a token that merges with
        # nothing.
        (mark,) = self._tokenize(_MARK)[-1:]
        tokens = self._tokenize(_MARK + text)
        return tokens[tokens.index(mark) + 1 :]

    def count(self, text: str) -> int:
        """Give the number of tokens of a text by itself."""
        return len(self._tokenize(text))

    def _tokenize(self, text: str) -> list[int]:
        data = text.encode("utf-8", "replace")
        n_max = len(data) + 2
        array = (ctypes.c_int32 * n_max)()
        n = int(lib.llama_tokenize(self._vocab, data, len(data), array, n_max, False, True))
        if n < 0:  # more tokens than bytes: no known tokenizer does that, but the interface allows it
            array = (ctypes.c_int32 * -n)()
            n = int(lib.llama_tokenize(self._vocab, data, len(data), array, -n, False, True))
        return array[:n]

    def piece(self, token: int) -> tuple[bytes, bytes] | None:
        """Give a token's bytes as shown and as they stand in a prompt; None for one that ends the answer."""
        try:
            return self._pieces[token]
        except KeyError:
            ends = bool(lib.llama_vocab_is_eog(self._vocab, token))
            found = None if ends else (self._read_piece(token, False), self._read_piece(token, True))
            self._pieces[token] = found
            return found

    def _read_piece(self, token: int, special: bool) -> bytes:
        with self._buffer_lock:
            n = self._piece_into(token, special)
            if n < 0:
                self._buffer = ctypes.create_string_buffer(-n)
                n = self._piece_into(token, special)
            return bytes(self._buffer.raw[:n])

    def _piece_into(self, token: int, special: bool) -> int:
        result: Any = lib.llama_token_to_piece(
            self._vocab, token, self._buffer, len(self._buffer), 0, special
        )
        return int(result)
