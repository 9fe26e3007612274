using System.Security.Cryptography;
using System.Text.Json;

namespace Cube.Agent.Guide;

/// <summary>A response in the format of OpenAI's chat or text completions, buffered or as the chunks of a stream.</summary>
internal sealed class GuideResponse
{
    private readonly bool _chat;
    private readonly string _id;
    private readonly long _created;
    private readonly int _promptTokens;

    public GuideResponse(GuideRequest request, string text, bool chat, DateTimeOffset now)
    {
        (_chat, _created, _promptTokens) = (chat, now.ToUnixTimeSeconds(), request.PromptTokens);
        _id = $"{(chat ? "chatcmpl" : "cmpl")}-{RandomNumberGenerator.GetHexString(32, lowercase: true)}";
        var end = request.Stop.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(static index => index >= 0).DefaultIfEmpty(text.Length).Min();
        string[] tokens = [.. GuideModel.Tokenize(text[..end])];
        FinishReason = request.MaxTokens < tokens.Length ? "length" : "stop";
        Tokens = request.MaxTokens is { } limit ? tokens.AsMemory(0, Math.Min(limit, tokens.Length)) : tokens;
    }

    public ReadOnlyMemory<string> Tokens { get; }

    public string FinishReason { get; }

    public void WriteBuffered(Utf8JsonWriter json)
    {
        WriteHead(json, _chat ? "chat.completion" : "text_completion");
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", 0);
        var text = string.Concat(Tokens.ToArray());
        if (_chat)
        {
            json.WriteStartObject("message");
            json.WriteString("role", "assistant");
            json.WriteString("content", text);
            json.WriteNull("refusal");
            json.WriteEndObject();
        }
        else
        {
            json.WriteString("text", text);
        }

        json.WriteNull("logprobs");
        json.WriteString("finish_reason", FinishReason);
        json.WriteEndObject();
        json.WriteEndArray();
        WriteUsage(json);
        json.WriteEndObject();
    }

    /// <param name="json">The writer.</param>
    /// <param name="delta">The next piece of text, or null for the last chunk.</param>
    /// <param name="first">Whether this chunk opens the message.</param>
    /// <param name="usageAsked">Whether chunks contain <c>usage</c>, which is null except in the last one.</param>
    public void WriteChunk(Utf8JsonWriter json, string? delta, bool first, bool usageAsked)
    {
        WriteHead(json, _chat ? "chat.completion.chunk" : "text_completion");
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", 0);
        if (_chat)
        {
            json.WriteStartObject("delta");
            if (first)
            {
                json.WriteString("role", "assistant");
            }

            if (delta is not null)
            {
                json.WriteString("content", delta);
            }

            json.WriteEndObject();
        }
        else
        {
            json.WriteString("text", delta ?? "");
        }

        json.WriteNull("logprobs");
        json.WriteString("finish_reason", delta is null ? FinishReason : null);
        json.WriteEndObject();
        json.WriteEndArray();
        if (usageAsked)
        {
            json.WriteNull("usage");
        }

        json.WriteEndObject();
    }

    public void WriteUsageChunk(Utf8JsonWriter json)
    {
        WriteHead(json, _chat ? "chat.completion.chunk" : "text_completion");
        json.WriteStartArray("choices");
        json.WriteEndArray();
        WriteUsage(json);
        json.WriteEndObject();
    }

    private void WriteHead(Utf8JsonWriter json, string kind)
    {
        json.WriteStartObject();
        json.WriteString("id", _id);
        json.WriteString("object", kind);
        json.WriteNumber("created", _created);
        json.WriteString("model", GuideModel.Id);
    }

    private void WriteUsage(Utf8JsonWriter json)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", _promptTokens);
        json.WriteNumber("completion_tokens", Tokens.Length);
        json.WriteNumber("total_tokens", _promptTokens + Tokens.Length);
        json.WriteEndObject();
    }
}
