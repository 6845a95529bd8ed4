"""The texts of the pages in four languages; the browser's Accept-Language header chooses."""

from __future__ import annotations

from flask import request

LANGUAGES: dict[str, dict[str, str]] = {
    "en": {
        "what": "Send a JSON array of items. Each item gets a token and is processed, and no item is lost.",
        "batches": "Batches",
        "waiting": "Waiting",
        "running": "Running",
        "ended": "Ended",
        "refused": "Refused",
        "form": "Send a batch",
        "hint": "Each item needs an item (text) and a valor (seconds).",
        "send": "Send",
        "answer": "Result",
        "item": "Item",
        "token": "Token",
        "see_batch": "Status of the batch",
        "home": "Home page",
        "nothing": "The request failed",
        "explained": "What this error means, and what to do",
    },
    "pt": {
        "what": "Envie um array JSON de itens; cada um recebe um token e é processado, e nenhum se perde.",
        "batches": "Lotes",
        "waiting": "Aguardando",
        "running": "Em processamento",
        "ended": "Finalizados",
        "refused": "Recusados",
        "form": "Enviar um lote",
        "hint": "Cada item precisa de um item (texto) e de um valor (segundos).",
        "send": "Enviar",
        "answer": "O que aconteceu",
        "item": "Item",
        "token": "Token",
        "see_batch": "Situação do lote",
        "home": "Página inicial",
        "nothing": "Não funcionou",
        "explained": "O que este erro significa e o que fazer",
    },
    "tr": {
        "what": "Bir JSON dizisi gönderin; her öğe bir belirteç alır ve işlenir, hiçbiri kaybolmaz.",
        "batches": "Toplu işler",
        "waiting": "Bekleyen",
        "running": "Çalışan",
        "ended": "Biten",
        "refused": "Reddedilen",
        "form": "Toplu iş gönder",
        "hint": "Her öğe bir item (metin) ve bir valor (saniye) ister.",
        "send": "Gönder",
        "answer": "Sonuç",
        "item": "Öğe",
        "token": "Belirteç",
        "see_batch": "Toplu işin durumu",
        "home": "Ana sayfa",
        "nothing": "Bu olmadı",
        "explained": "Bu hata ne demek ve ne yapmalı",
    },
    "ru": {
        "what": "Отправьте массив JSON: каждый элемент получит токен и будет обработан, ни один не потеряется.",
        "batches": "Пакеты",
        "waiting": "Ожидают",
        "running": "Выполняются",
        "ended": "Завершены",
        "refused": "Отклонены",
        "form": "Отправить пакет",
        "hint": "Каждому элементу нужны item (текст) и valor (секунды).",
        "send": "Отправить",
        "answer": "Что получилось",
        "item": "Элемент",
        "token": "Токен",
        "see_batch": "Состояние пакета",
        "home": "Главная страница",
        "nothing": "Не получилось",
        "explained": "Что значит эта ошибка и что делать",
    },
}


def words() -> dict[str, str]:
    """Return the texts for the current request, with the language code under `lang`."""
    language = request.accept_languages.best_match(list(LANGUAGES), default="en")
    return LANGUAGES[language] | {"lang": language}
