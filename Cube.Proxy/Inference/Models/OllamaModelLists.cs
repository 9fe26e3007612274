using System.Net;
using System.Text.Json;
using Cube.Attestation.Atls;
using Cube.Inference;
using Cube.Inference.Errors;
using Cube.Inference.Json;
using Cube.Inference.Ollama;
using Cube.Inference.Translation;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Connections;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Inference.Models;

/// <summary>
/// Ollama's own lists, of its models and of those that run now, as far as they are the caller's; and its version. In front of another
/// server there are none of them.
/// </summary>
internal sealed class OllamaModelLists(ModelCatalogClient models, BackendConnectionProvider backends, ProxyConfigurationProvider configuration, Permissions permissions)
{
    private const int MaxBytes = 1 << 20;

    /// <summary>Not until when a model stays: that would tell when somebody, of whatever domain, has used it last.</summary>
    private static readonly string[] _members = ["modified_at", "size", "digest", "size_vram", "context_length"];

    public async Task WriteAsync(HttpContext context)
    {
        var route = context.Features.GetRequiredFeature<Route>();
        var endpoint = context.GetEndpoint()?.Metadata.GetMetadata<InferenceEndpoint>();
        if (await models.FindAsync(context, route) is not { } list || endpoint is not { Permission: { } action })
        {
            return;
        }

        var (member, access) = (context.Features.GetRequiredFeature<DomainMember>(), context.Features.GetRequiredFeature<Access>());
        var published = list.Published(configuration.Current.FindCatalog(member.DomainId)).ToList();
        var allowed = await permissions.FindAsync(member, action, [.. published.Select(static model => model.Id)], access, context.RequestAborted);
        if (!access.Reaches(allowed))
        {
            await OpenAiError.InsufficientPermissions.WriteAsync(context);
            return;
        }

        if (!list.Backend.Supports(BackendFeatures.OllamaApi))
        {
            await OpenAiError.NotServed.WriteAsync(context);
            return;
        }

        if (await AskAsync(context, route, member.DomainId, endpoint.Path) is not { } answer)
        {
            await OpenAiError.UpstreamError.WriteAsync(context);
            return;
        }

        using (answer)
        {
            context.Response.ContentType = "application/json";
            await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
            json.WriteStartObject();
            if (endpoint == InferenceEndpoints.OllamaVersion)
            {
                json.WriteString("version", answer.RootElement.Member("version") is { ValueKind: JsonValueKind.String } version ? version.GetString() : null);
            }
            else
            {
                Write(answer.RootElement, json, published.Zip(allowed).Where(static pair => pair.Second.IsAllowed).Select(static pair => pair.First));
            }

            json.WriteEndObject();
        }
    }

    private static void Write(JsonElement answer, Utf8JsonWriter json, IEnumerable<PublishedModel> permitted)
    {
        var told = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var model in answer.Member("models") is { ValueKind: JsonValueKind.Array } models ? models.EnumerateArray() : default)
        {
            if (model.ValueKind == JsonValueKind.Object && model.Member("name") is { ValueKind: JsonValueKind.String } name && name.GetString() is { } id)
            {
                told.TryAdd(id, model);
            }
        }

        json.WriteStartArray("models");
        foreach (var offer in permitted)
        {
            if (told.TryGetValue(offer.Model.Id, out var model))
            {
                Write(json, offer.Id, model);
            }
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, string id, JsonElement model)
    {
        json.WriteStartObject();
        json.WriteString("name", id);
        json.WriteString("model", id);
        foreach (var member in _members)
        {
            if (model.Member(member) is { ValueKind: JsonValueKind.String or JsonValueKind.Number } value)
            {
                json.WriteRaw(member, value);
            }
        }

        if (model.Member("details") is { } details)
        {
            json.WritePropertyName("details");
            ModelDetails.Write(details, json);
        }

        json.WriteEndObject();
    }

    /// <returns>Null where the model server gave no usable answer.</returns>
    private async Task<JsonDocument?> AskAsync(HttpContext context, Route route, Guid domain, string path)
    {
        try
        {
            var channel = await backends.GetAsync(route, domain, context.RequestAborted);
            context.SetAttestationResult(channel.Verdict);
            using var message = channel.Get(route.PathOf(path));
            using var response = await channel.Invoker.SendAsync(message, context.RequestAborted);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                return null;
            }

            await response.Content.LoadIntoBufferAsync(MaxBytes, context.RequestAborted);
            // From a stream: a byte order mark is skipped.
            var document = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(context.RequestAborted), cancellationToken: context.RequestAborted);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException or AttestationException)
        {
            // Said by the caller: the model server gave nothing.
        }

        return null;
    }
}
