using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.Inference.Images;

namespace Cube.Inference.Ollama;

/// <summary>
/// Translates requests that change Ollama's models. Only models of Ollama's library are accepted: a name with a host would make the machine connect to that host, and a cloud model runs on another machine.
/// </summary>
internal sealed partial class ModelManagementTranslator(bool isStreaming, params (string Name, FieldRule Rule)[] rules) : JsonRequestTranslator
{
    private static readonly FieldRule _stream = FieldRule.Pass(FieldChecks.Boolean);

    public static ModelManagementTranslator Pull { get; } = new(true, ("name", FieldRule.Translate()), ("stream", _stream), ("insecure", FieldRule.Drop(FieldChecks.UnsupportedTrue)));

    public static ModelManagementTranslator Create { get; } = new(true,
        ("name", FieldRule.Translate()), ("stream", _stream), ("from", FieldRule.Pass(CheckLibraryName)), ("system", FieldRule.Pass(FieldChecks.String)), ("template", FieldRule.Pass(FieldChecks.String)),
        ("parameters", FieldRule.Pass(FieldChecks.Object)), ("messages", FieldRule.Translate(OllamaMessages.Check).WithMembers(OllamaMembers.Message)), ("license", FieldRule.Pass(FieldChecks.String)), ("quantize", FieldRule.Pass(FieldChecks.String)),
        ("files", FieldRule.Reject), ("adapters", FieldRule.Reject), ("modelfile", FieldRule.Reject), ("path", FieldRule.Reject));

    public static ModelManagementTranslator Copy { get; } = new(false, ("source", FieldRule.Pass(CheckLocalName)), ("destination", FieldRule.Pass(CheckLibraryName)));

    public static ModelManagementTranslator Delete { get; } = new(false, ("name", FieldRule.Translate()));

    public override BackendFeatures RequiredFeatures => BackendFeatures.OllamaApi;

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
            CheckLocalName(ModelOf(request), "model");
        }
        else
        {
            CheckLibraryName(ModelOf(request), "model");
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

    private static void CheckLibraryName(JsonElement name, string param)
    {
        FieldChecks.String(name, param);
        var text = name.GetString() ?? "";
        FieldChecks.Require(
            text.Length <= 256 && LibraryName().IsMatch(text) && !text.EndsWith(":cloud", StringComparison.OrdinalIgnoreCase) && !text.EndsWith("-cloud", StringComparison.OrdinalIgnoreCase),
            param, "it must be a model of Ollama's library that runs on the machine, such as llama3:8b or user/model:tag");
    }

    private static void CheckLocalName(JsonElement name, string param)
    {
        FieldChecks.String(name, param);
        var text = name.GetString() ?? "";
        FieldChecks.Require(text.Length <= 256 && LocalName().IsMatch(text) && !text.Contains("..", StringComparison.Ordinal), param, "it must be the name of a model");
    }

    [GeneratedRegex(@"\A(?:[A-Za-z0-9][A-Za-z0-9_-]*/)?[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*(?::[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)?\z")]
    private static partial Regex LibraryName();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:/@-]*\z")]
    private static partial Regex LocalName();
}
