using System.Text.Json;
using Cube.Inference.Chat;
using Cube.Inference.Images;

namespace Cube.Inference.Vllm;

/// <summary>Translates requests to vLLM's endpoints that OpenAI's API does not have: tokenization, scoring, reranking, classification and pooling.</summary>
/// <param name="required">The required members.</param>
/// <param name="rules">The rules of all members.</param>
internal sealed class VllmRequestTranslator(string[] required, params (string Name, FieldRule Rule)[] rules) : JsonRequestTranslator
{
    private static readonly FieldRule _flag = FieldRule.Pass(FieldChecks.Boolean);
    private static readonly FieldRule _texts = FieldRule.Pass(CheckTexts);

    public static VllmRequestTranslator Tokenize { get; } = new(
        [],
        ("prompt", FieldRule.Pass(FieldChecks.String)), ("messages", FieldRule.Translate(ChatMessages.Check).WithMembers(ChatMembers.Message)), ("add_special_tokens", _flag), ("return_token_strs", _flag), ("add_generation_prompt", _flag));

    public static VllmRequestTranslator Detokenize { get; } = new(["tokens"], ("tokens", FieldRule.Pass(static (tokens, param) => FieldChecks.Tokens(tokens, param, isIndexed: false))));

    public static VllmRequestTranslator Pooling { get; } = new(["input"], ("input", _texts), ("encoding_format", FieldRule.Pass(FieldChecks.OneOf("float", "base64"))));

    public static VllmRequestTranslator Classify { get; } = new(["input"], ("input", _texts));

    public static VllmRequestTranslator Score { get; } = new(["text_1", "text_2"], ("text_1", _texts), ("text_2", _texts));

    public static VllmRequestTranslator Rerank { get; } = new(
        ["query", "documents"],
        ("query", FieldRule.Pass(FieldChecks.String)), ("documents", FieldRule.Pass(CheckTexts)), ("top_n", FieldRule.Pass(FieldChecks.Integer(1, int.MaxValue))));

    public override BackendFeatures RequiredFeatures => BackendFeatures.VllmApi;

    public override IReadOnlyList<(string Backend, string Client)> ParameterNames => this == Pooling || this == Classify ? [("messages", "input")] : [];

    internal override FieldRules Rules { get; } = RulesOf(rules);

    protected override bool UsesPrefixCache => false;

    internal override void CheckMembers(JsonElement request)
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

    internal override IEnumerable<RequestImage> ImagesOf(JsonElement request) =>
        this == Tokenize && request.Member("messages") is { } messages ? ChatMessages.ImagesOf(messages, "messages") : [];

    internal override void WriteMembers(JsonElement request, Utf8JsonWriter json, BackendProtocol backend, CancellationToken ct)
    {
        if (request.Member("messages") is { } messages)
        {
            ChatMessages.Write(messages, json, backend);
        }
    }

    private static void CheckTexts(JsonElement texts, string param)
    {
        if (texts.ValueKind == JsonValueKind.String)
        {
            return;
        }

        FieldChecks.RequireType(texts.ValueKind == JsonValueKind.Array, param, "a string or an array of strings");
        FieldChecks.Require(texts.GetArrayLength() is > 0 and <= 2048, param, "it must have 1 to 2048 items");
        foreach (var text in texts.EnumerateArray())
        {
            FieldChecks.RequireType(text.ValueKind == JsonValueKind.String, param, "a string or an array of strings");
        }
    }
}
