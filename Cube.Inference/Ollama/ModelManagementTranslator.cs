using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.Inference.Images;

namespace Cube.Inference.Ollama;

/// <summary>
/// What changes the models that Ollama has. Models come from its library and from nowhere else: a name with a host in it would have the
/// machine connect wherever the name says, and a cloud model would answer from outside.
/// </summary>
internal sealed partial class ModelManagementTranslator(bool isStreaming, params (string Name, FieldRule Rule)[] rules) : JsonRequestTranslator
{
    private static readonly FieldRule _stream = FieldRule.Pass(FieldChecks.Boolean);

    public static ModelManagementTranslator Pull { get; } = new(true, ("name", FieldRule.Translate()), ("stream", _stream), ("insecure", FieldRule.Drop(FieldChecks.UnsupportedTrue)));

    public static ModelManagementTranslator Create { get; } = new(true,
        ("name", FieldRule.Translate()), ("stream", _stream), ("from", FieldRule.Pass(CheckLibrary)), ("system", FieldRule.Pass(FieldChecks.String)), ("template", FieldRule.Pass(FieldChecks.String)),
        ("parameters", FieldRule.Pass(FieldChecks.Object)), ("messages", FieldRule.Translate(OllamaMessages.Check).WithMembers(OllamaMembers.Message)), ("license", FieldRule.Pass(FieldChecks.String)), ("quantize", FieldRule.Pass(FieldChecks.String)),
        ("files", FieldRule.Reject), ("adapters", FieldRule.Reject), ("modelfile", FieldRule.Reject), ("path", FieldRule.Reject));

    public static ModelManagementTranslator Copy { get; } = new(false, ("source", FieldRule.Pass(CheckLocal)), ("destination", FieldRule.Pass(CheckLibrary)));

    public static ModelManagementTranslator Delete { get; } = new(false, ("name", FieldRule.Translate()));

    internal override FieldRules Rules { get; } = RulesOf(rules);

    internal override ClientRequest Read(JsonElement request) => base.Read(request) with { IsStream = isStreaming && request.Member("stream") is not { ValueKind: JsonValueKind.False } };

    internal override JsonElement ModelOf(JsonElement request) => this == Copy ? request.Required("destination", "destination") : OllamaMembers.ModelOrName(request);

    internal override void CheckMembers(JsonElement request)
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

    internal override IEnumerable<RequestImage> ImagesOf(JsonElement request) =>
        this == Create && request.Member("messages") is { } messages ? OllamaMessages.ImagesOf(messages, "messages") : [];

    internal override void WriteMembers(JsonElement request, Utf8JsonWriter json, BackendProtocol backend, CancellationToken ct)
    {
        if (this == Create && request.Member("messages") is { } messages)
        {
            OllamaMessages.Write(messages, json);
        }
    }

    private static void CheckLibrary(JsonElement name, string param)
    {
        FieldChecks.String(name, param);
        var text = name.GetString()!;
        FieldChecks.Require(
            text.Length <= 256 && Library().IsMatch(text) && !text.EndsWith(":cloud", StringComparison.OrdinalIgnoreCase) && !text.EndsWith("-cloud", StringComparison.OrdinalIgnoreCase),
            param, "it must be a model of the library, as llama3:8b or someone/model:tag, that runs on the machine");
    }

    private static void CheckLocal(JsonElement name, string param)
    {
        FieldChecks.String(name, param);
        var text = name.GetString()!;
        FieldChecks.Require(text.Length <= 256 && Local().IsMatch(text) && !text.Contains("..", StringComparison.Ordinal), param, "it is no model's name");
    }

    [GeneratedRegex(@"\A(?:[A-Za-z0-9][A-Za-z0-9_-]*/)?[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*(?::[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)?\z")]
    private static partial Regex Library();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:/@-]*\z")]
    private static partial Regex Local();
}
