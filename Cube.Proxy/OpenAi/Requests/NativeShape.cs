using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>
/// Ollama's own endpoints. What passes is what shapes an answer; what would steer the server (how long a model stays, how much memory it
/// takes, which template it has) does not.
/// </summary>
internal sealed class NativeShape(bool isGenerating, string[] required, params (string Name, FieldRule Rule)[] rules) : RequestShape
{
    private static readonly FieldRule _flag = FieldRule.Pass(Checks.Boolean);

    private static readonly string[] _options =
    [
        "num_predict", "temperature", "top_k", "top_p", "min_p", "typical_p", "seed", "stop", "repeat_penalty", "repeat_last_n",
        "presence_penalty", "frequency_penalty", "mirostat", "mirostat_eta", "mirostat_tau", "penalize_newline", "tfs_z",
    ];

    private static readonly (string Name, FieldRule Rule)[] _generating =
    [
        ("stream", FieldRule.Pass(Checks.Boolean)), ("options", FieldRule.Own(Checks.Object)), ("format", FieldRule.Own(CheckFormat)), ("think", FieldRule.Pass(CheckThink)),
        ("logprobs", _flag), ("top_logprobs", FieldRule.Pass(Checks.Integer(0, 20))), ("truncate", _flag), ("shift", _flag), ("keep_alive", FieldRule.Drop()),
    ];

    public static NativeShape Chat { get; } = new(true, ["messages"], [.. _generating, ("messages", FieldRule.Own(NativeMessages.Check).Holding(KnownMembers.NativeMessage)), ("tools", FieldRule.Own(Tools.Check).Holding(KnownMembers.Tool))]);

    public static NativeShape Generate { get; } = new(true, ["prompt"],
        [.. _generating, ("prompt", FieldRule.Pass(Checks.Text)), ("suffix", FieldRule.Pass(Checks.Text)), ("system", FieldRule.Pass(Checks.Text)), ("images", FieldRule.Pass(Checks.Array)), ("context", FieldRule.Pass(Checks.Array))]);

    public static NativeShape Embed { get; } = new(false, ["input"],
        ("input", FieldRule.Pass(CheckInput)), ("truncate", _flag), ("dimensions", FieldRule.Pass(Checks.Integer(1, int.MaxValue))), ("options", FieldRule.Own(Checks.Object)), ("keep_alive", FieldRule.Drop()));

    /// <summary>The old one, for one text.</summary>
    public static NativeShape Embeddings { get; } = new(false, ["prompt"],
        ("prompt", FieldRule.Pass(Checks.Text)), ("options", FieldRule.Own(Checks.Object)), ("keep_alive", FieldRule.Drop()));

    /// <summary>In parts, unless that is declined: the other way round than OpenAI's.</summary>
    public override ClientRequest Read(JsonElement request) => base.Read(request) with { IsStream = isGenerating && request.Member("stream") is not { ValueKind: JsonValueKind.False } };

    protected override FieldRules Rules { get; } = new(Common(rules));

    protected override void CheckOwn(JsonElement request)
    {
        foreach (var name in required)
        {
            request.Required(name, name);
        }
    }

    protected override IEnumerable<SentImage> ImagesOf(JsonElement request) =>
        this == Chat ? NativeMessages.ImagesOf(request.GetProperty("messages"), "messages")
        : this == Generate && request.Member("images") is { } images ? images.EnumerateArray().Select(static image => new SentImage(image, "images", IsUrl: false))
        : [];

    protected override void WriteOwn(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        if (target.Kind != BackendKind.Ollama)
        {
            throw new RefusedException(OpenAiError.NotServed);
        }

        if (isGenerating && request.Member("format") is { } format)
        {
            WriteFormat(format, json, ct);
        }

        if (this == Chat)
        {
            NativeMessages.Write(request.GetProperty("messages"), json);
            if (request.Member("tools") is { } tools && tools.GetArrayLength() > 0)
            {
                Tools.WriteList(tools, json, target.Kind, ct);
            }
        }

        if (request.Member("options") is { } options)
        {
            json.WriteStartObject("options");
            foreach (var option in options.EnumerateObject().Where(static option => _options.Contains(option.Name)))
            {
                json.WriteRaw(option.Name, option.Value);
            }

            json.WriteEndObject();
        }
    }

    private static void CheckInput(JsonElement input, string param)
    {
        Checks.Type(input.ValueKind is JsonValueKind.String or JsonValueKind.Array, param, "a string or an array of strings");
        if (input.ValueKind == JsonValueKind.Array)
        {
            Checks.Value(input.GetArrayLength() is > 0 and <= 2048 && input.EnumerateArray().All(static item => item.ValueKind == JsonValueKind.String), param, "it has 1 to 2048 strings");
        }
    }

    private static void CheckFormat(JsonElement format, string param)
    {
        if (format.ValueKind == JsonValueKind.String)
        {
            Checks.OneOf("json", "")(format, param);
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
        Checks.Type(think.ValueKind is JsonValueKind.True or JsonValueKind.False or JsonValueKind.String, param, "a boolean or a string");
}
