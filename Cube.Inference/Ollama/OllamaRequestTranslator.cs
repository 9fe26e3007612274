using System.Text.Json;
using Cube.Inference.Chat;
using Cube.Inference.Images;

namespace Cube.Inference.Ollama;

/// <summary>
/// Translates requests to the endpoints of Ollama's API. Members that affect the response are forwarded. Members that control the server, such as how long a model stays loaded, its memory or its template, are not.
/// </summary>
internal sealed class OllamaRequestTranslator(bool isGeneration, string[] required, params (string Name, FieldRule Rule)[] rules) : JsonRequestTranslator
{
    private static readonly FieldRule _flag = FieldRule.Pass(FieldChecks.Boolean);

    private static readonly string[] _allowedOptions =
    [
        "num_predict", "temperature", "top_k", "top_p", "min_p", "typical_p", "seed", "stop", "repeat_penalty", "repeat_last_n",
        "presence_penalty", "frequency_penalty", "mirostat", "mirostat_eta", "mirostat_tau", "penalize_newline", "tfs_z",
    ];

    private static readonly (string Name, FieldRule Rule)[] _generationRules =
    [
        ("stream", FieldRule.Pass(FieldChecks.Boolean)), ("options", FieldRule.Translate(FieldChecks.Object)), ("format", FieldRule.Translate(CheckFormat)), ("think", FieldRule.Pass(CheckThink)),
        ("logprobs", _flag), ("top_logprobs", FieldRule.Pass(FieldChecks.Integer(0, 20))), ("truncate", _flag), ("shift", _flag), ("keep_alive", FieldRule.Drop()),
    ];

    public static OllamaRequestTranslator Chat { get; } = new(true, ["messages"], [.. _generationRules, ("messages", FieldRule.Translate(OllamaMessages.Check).WithMembers(OllamaMembers.Message)), ("tools", FieldRule.Translate(ChatTools.Check).WithMembers(ChatMembers.Tool))]);

    public static OllamaRequestTranslator Generate { get; } = new(true, ["prompt"],
        [.. _generationRules, ("prompt", FieldRule.Pass(FieldChecks.String)), ("suffix", FieldRule.Pass(FieldChecks.String)), ("system", FieldRule.Pass(FieldChecks.String)), ("images", FieldRule.Pass(FieldChecks.Array)), ("context", FieldRule.Pass(FieldChecks.Array))]);

    public static OllamaRequestTranslator Embed { get; } = new(false, ["input"],
        ("input", FieldRule.Pass(CheckInput)), ("truncate", _flag), ("dimensions", FieldRule.Pass(FieldChecks.Integer(1, int.MaxValue))), ("options", FieldRule.Translate(FieldChecks.Object)), ("keep_alive", FieldRule.Drop()));

    /// <summary>The older endpoint, for one text.</summary>
    public static OllamaRequestTranslator Embeddings { get; } = new(false, ["prompt"],
        ("prompt", FieldRule.Pass(FieldChecks.String)), ("options", FieldRule.Translate(FieldChecks.Object)), ("keep_alive", FieldRule.Drop()));

    public override BackendFeatures RequiredFeatures => BackendFeatures.OllamaApi;

    public override IReadOnlyList<(string Backend, string Client)> ParameterNames => this == Generate ? [("messages", "prompt")] : this == Embed ? [("messages", "input")] : [];

    /// <summary>Unlike in OpenAI's API, the response is a stream unless <c>stream</c> is false.</summary>
    internal override ClientRequest Read(JsonElement request) => base.Read(request) with { IsStream = isGeneration && request.Member("stream") is not { ValueKind: JsonValueKind.False } };

    internal override FieldRules Rules { get; } = RulesOf(rules);

    internal override void CheckMembers(JsonElement request)
    {
        foreach (var name in required)
        {
            request.Required(name, name);
        }
    }

    internal override IEnumerable<RequestImage> ImagesOf(JsonElement request) =>
        this == Chat ? OllamaMessages.ImagesOf(request.GetProperty("messages"), "messages")
        : this == Generate && request.Member("images") is { } images ? images.EnumerateArray().Select(static image => new RequestImage(image, "images", IsUrl: false))
        : [];

    internal override void WriteMembers(JsonElement request, Utf8JsonWriter json, BackendProtocol backend, CancellationToken ct)
    {
        if (isGeneration && request.Member("format") is { } format)
        {
            WriteFormat(format, json, ct);
        }

        if (this == Chat)
        {
            OllamaMessages.Write(request.GetProperty("messages"), json);
            if (request.Member("tools") is { } tools && tools.GetArrayLength() > 0)
            {
                ChatTools.WriteList(tools, json, backend, ct);
            }
        }

        if (request.Member("options") is { } options)
        {
            json.WriteStartObject("options");
            foreach (var option in options.EnumerateObject().Where(static option => _allowedOptions.Contains(option.Name)))
            {
                json.WriteRaw(option.Name, option.Value);
            }

            json.WriteEndObject();
        }
    }

    private static void CheckInput(JsonElement input, string param)
    {
        FieldChecks.RequireType(input.ValueKind is JsonValueKind.String or JsonValueKind.Array, param, "a string or an array of strings");
        if (input.ValueKind == JsonValueKind.Array)
        {
            FieldChecks.Require(input.GetArrayLength() is > 0 and <= 2048 && input.EnumerateArray().All(static item => item.ValueKind == JsonValueKind.String), param, "it must have 1 to 2048 strings");
        }
    }

    private static void CheckFormat(JsonElement format, string param)
    {
        if (format.ValueKind == JsonValueKind.String)
        {
            FieldChecks.OneOf("json", "")(format, param);
            return;
        }

        ResponseFormat.CheckSchema(format, param);
    }

    private static void WriteFormat(JsonElement format, Utf8JsonWriter json, CancellationToken ct)
    {
        json.WritePropertyName("format");
        if (format.ValueKind == JsonValueKind.String)
        {
            json.WriteRaw(format);
            return;
        }

        OllamaSchema.Check(format, "format", ct);
        OllamaSchemaWriter.Write(format, json);
    }

    private static void CheckThink(JsonElement think, string param) =>
        FieldChecks.RequireType(think.ValueKind is JsonValueKind.True or JsonValueKind.False or JsonValueKind.String, param, "a boolean or a string");
}
