using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>
/// What changes the models that Ollama has. Models come from its library and from nowhere else: a name with a host in it would have the
/// machine connect wherever the name says, and a cloud model would answer from outside.
/// </summary>
internal sealed partial class WeightShape(bool isStreaming, params (string Name, FieldRule Rule)[] rules) : RequestShape
{
    private static readonly FieldRule _stream = FieldRule.Pass(Checks.Boolean);

    public static WeightShape Pull { get; } = new(true, ("name", FieldRule.Own()), ("stream", _stream), ("insecure", FieldRule.Drop(Checks.UnsupportedTrue)));

    public static WeightShape Create { get; } = new(true,
        ("name", FieldRule.Own()), ("stream", _stream), ("from", FieldRule.Pass(CheckLibrary)), ("system", FieldRule.Pass(Checks.Text)), ("template", FieldRule.Pass(Checks.Text)),
        ("parameters", FieldRule.Pass(Checks.Object)), ("messages", FieldRule.Own(NativeMessages.Check).Holding(KnownMembers.NativeMessage)), ("license", FieldRule.Pass(Checks.Text)), ("quantize", FieldRule.Pass(Checks.Text)),
        ("files", FieldRule.Refuse), ("adapters", FieldRule.Refuse), ("modelfile", FieldRule.Refuse), ("path", FieldRule.Refuse));

    public static WeightShape Copy { get; } = new(false, ("source", FieldRule.Pass(CheckLocal)), ("destination", FieldRule.Pass(CheckLibrary)));

    public static WeightShape Delete { get; } = new(false, ("name", FieldRule.Own()));

    protected override FieldRules Rules { get; } = new(Common(rules));

    public override ClientRequest Read(JsonElement request) => base.Read(request) with { IsStream = isStreaming && request.Member("stream") is not { ValueKind: JsonValueKind.False } };

    protected override JsonElement ModelOf(JsonElement request) => this == Copy ? request.Required("destination", "destination") : ModelOrName(request);

    protected override void CheckOwn(JsonElement request)
    {
        if (this == Copy)
        {
            request.Required("source", "source");
        }
        else if (this == Delete)
        {
            CheckLocal(ModelOf(request), "model");
        }
        else
        {
            CheckLibrary(ModelOf(request), "model");
        }

        if (this == Create)
        {
            request.Required("from", "from");
        }
    }

    protected override IEnumerable<SentImage> ImagesOf(JsonElement request) =>
        this == Create && request.Member("messages") is { } messages ? NativeMessages.ImagesOf(messages, "messages") : [];

    protected override void WriteOwn(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        if (this == Create && request.Member("messages") is { } messages)
        {
            NativeMessages.Write(messages, json);
        }
    }

    private static void CheckLibrary(JsonElement name, string param)
    {
        Checks.Text(name, param);
        var text = name.GetString()!;
        Checks.Value(
            text.Length <= 256 && Library().IsMatch(text) && !text.EndsWith(":cloud", StringComparison.OrdinalIgnoreCase) && !text.EndsWith("-cloud", StringComparison.OrdinalIgnoreCase),
            param, "it must be a model of the library, as llama3:8b or someone/model:tag, that runs on the machine");
    }

    private static void CheckLocal(JsonElement name, string param)
    {
        Checks.Text(name, param);
        var text = name.GetString()!;
        Checks.Value(text.Length <= 256 && Local().IsMatch(text) && !text.Contains("..", StringComparison.Ordinal), param, "it is no model's name");
    }

    [GeneratedRegex(@"\A(?:[A-Za-z0-9][A-Za-z0-9_-]*/)?[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*(?::[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)?\z")]
    private static partial Regex Library();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:/@-]*\z")]
    private static partial Regex Local();
}
