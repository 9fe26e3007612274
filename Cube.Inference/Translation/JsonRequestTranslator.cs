using System.Text.Json;
using Cube.Inference.Images;

namespace Cube.Inference.Translation;

/// <summary>Translates a request whose body is a JSON object: defines the members of the endpoint, and writes them for a model server.</summary>
public abstract class JsonRequestTranslator : RequestTranslator
{
    internal abstract FieldRules Rules { get; }

    /// <summary>Whether a model server with a prefix cache caches the prompt of the request.</summary>
    protected virtual bool UsesPrefixCache => true;

    /// <summary>Checks the rules that do not depend on the model server.</summary>
    /// <param name="request">The body.</param>
    /// <param name="ignored">Receives the names of unknown members.</param>
    /// <param name="limits">Limits the images.</param>
    /// <exception cref="RequestRejectedException">The request breaks a rule.</exception>
    internal void Check(JsonElement request, IgnoredMembers ignored, RequestLimits limits)
    {
        Rules.CheckNames(request, ignored);
        var model = ModelOf(request);
        FieldChecks.String(model, "model");
        if (model.ValueEquals(""u8))
        {
            throw new RequestRejectedException(OpenAiError.MissingParameter("model"));
        }

        Rules.Check(request);
        CheckMembers(request);
        var images = new ImageBudget(limits.MaxImages, limits.MaxPixels);
        foreach (var image in ImagesOf(request))
        {
            images.Add(image);
        }
    }

    /// <summary>Reads from a checked request what its response depends on.</summary>
    internal virtual ClientRequest Read(JsonElement request) => new() { Model = ModelOf(request).GetString() ?? "" };

    /// <summary>Writes a checked request.</summary>
    /// <exception cref="RequestRejectedException">The model server does not support the request.</exception>
    internal virtual void Write(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        if (!target.Backend.Supports(RequiredFeatures))
        {
            throw new RequestRejectedException(OpenAiError.NotServed);
        }

        json.WriteStartObject();
        json.WriteString("model", target.Model);
        Rules.Write(request, json, target.Backend);
        WriteMembers(request, json, target.Backend, ct);
        if (UsesPrefixCache && target.Backend.Supports(BackendFeatures.PrefixCache))
        {
            json.WriteString("cache_salt", target.CacheSalt);
        }

        json.WriteEndObject();
    }

    /// <exception cref="RequestRejectedException">The request names no model.</exception>
    internal virtual JsonElement ModelOf(JsonElement request) => request.Required("model", "model");

    /// <summary>Checks rules that concern several members.</summary>
    internal virtual void CheckMembers(JsonElement request)
    {
    }

    /// <summary>Writes the members whose rule is <see cref="FieldHandling.Translate"/>.</summary>
    internal virtual void WriteMembers(JsonElement request, Utf8JsonWriter json, BackendProtocol backend, CancellationToken ct)
    {
    }

    /// <summary>The images of a request. The other checks have succeeded.</summary>
    internal virtual IEnumerable<RequestImage> ImagesOf(JsonElement request) => [];

    /// <summary>Combines the rules of the endpoint's members with those that every endpoint has.</summary>
    internal static FieldRules RulesOf(params (string Name, FieldRule Rule)[] own)
    {
        var rules = new Dictionary<string, FieldRule>(StringComparer.Ordinal)
        {
            ["model"] = FieldRule.Translate(),
            ["user"] = FieldRule.Drop(FieldChecks.String),
        };
        foreach (var (name, rule) in own)
        {
            rules[name] = rule;
        }

        return new FieldRules(rules);
    }
}
