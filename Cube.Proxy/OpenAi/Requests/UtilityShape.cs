using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>
/// The endpoints that vLLM has beside OpenAI's: tokens, scores, ranks, classes, pools. They take a few members and give a few; in front of
/// Ollama there are none of them.
/// </summary>
/// <param name="answer">The members of an answer. <c>id</c> and <c>model</c> are the gateway's own.</param>
/// <param name="required">Members that a request must have.</param>
/// <param name="rules">Its other members.</param>
internal sealed class UtilityShape(string[] answer, string[] required, params (string Name, FieldRule Rule)[] rules) : RequestShape
{
    private static readonly FieldRule _flag = FieldRule.Pass(Checks.Boolean);
    private static readonly FieldRule _texts = FieldRule.Pass(CheckTexts);
    private static readonly string[] _scored = ["id", "object", "created", "model", "data", "usage"];

    public static UtilityShape Tokenize { get; } = new(
        ["count", "max_model_len", "tokens", "token_strs"], [],
        ("prompt", FieldRule.Pass(Checks.Text)), ("messages", FieldRule.Own(Requests.Messages.Check).Holding(KnownMembers.Message)), ("add_special_tokens", _flag), ("return_token_strs", _flag), ("add_generation_prompt", _flag));

    public static UtilityShape Detokenize { get; } = new(["prompt"], ["tokens"], ("tokens", FieldRule.Pass(static (tokens, param) => Checks.Tokens(tokens, param, isIndexed: false))));

    public static UtilityShape Pooling { get; } = new(_scored, ["input"], ("input", _texts), ("encoding_format", FieldRule.Pass(Checks.OneOf("float", "base64"))));

    public static UtilityShape Classify { get; } = new(_scored, ["input"], ("input", _texts));

    public static UtilityShape Score { get; } = new(_scored, ["text_1", "text_2"], ("text_1", _texts), ("text_2", _texts));

    public static UtilityShape Rerank { get; } = new(
        ["id", "model", "results", "usage"], ["query", "documents"],
        ("query", FieldRule.Pass(Checks.Text)), ("documents", FieldRule.Pass(CheckTexts)), ("top_n", FieldRule.Pass(Checks.Integer(1, int.MaxValue))));

    public override IReadOnlyList<string> Answer => answer;

    protected override FieldRules Rules { get; } = new(Common(rules));

    protected override bool HasCacheSalt => false;

    protected override void CheckOwn(JsonElement request)
    {
        foreach (var name in required)
        {
            request.Required(name, name);
        }

        if (this == Tokenize && request.Member("messages") is null)
        {
            request.Required("prompt", "prompt");
        }
    }

    protected override IEnumerable<SentImage> ImagesOf(JsonElement request) =>
        this == Tokenize && request.Member("messages") is { } messages ? Requests.Messages.ImagesOf(messages, "messages") : [];

    protected override void WriteOwn(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        if (target.Kind != BackendKind.Vllm)
        {
            throw new RefusedException(OpenAiError.NotServed);
        }

        if (request.Member("messages") is { } messages)
        {
            Requests.Messages.Write(messages, json, target.Kind);
        }
    }

    private static void CheckTexts(JsonElement texts, string param)
    {
        if (texts.ValueKind == JsonValueKind.String)
        {
            return;
        }

        Checks.Type(texts.ValueKind == JsonValueKind.Array, param, "a string or an array of strings");
        Checks.Value(texts.GetArrayLength() is > 0 and <= 2048, param, "it has 1 to 2048 items");
        foreach (var text in texts.EnumerateArray())
        {
            Checks.Type(text.ValueKind == JsonValueKind.String, param, "a string or an array of strings");
        }
    }
}
