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
/// <c>/api/tags</c>, <c>/api/ps</c> and <c>/api/version</c> of Ollama's API. The lists contain only models that the caller may use. For other model servers, the endpoints are answered with 404.
/// </summary>
internal sealed class OllamaModelLists(ModelCatalogClient models, BackendConnectionProvider backends, ProxyConfigurationProvider configuration, Permissions permissions)
{
    private const int MaxBytes = 1 << 20;

    /// <summary>The forwarded members of a model. <c>expires_at</c> is omitted because it reveals when another user last used the model.</summary>
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
        if (!access.TokenAllowsAny(allowed))
        {
            await OpenAiError.InsufficientPermissions.WriteAsync(context);
            return;
        }

        if (!list.Backend.Supports(BackendFeatures.OllamaApi))
        {
            await OpenAiError.NotServed.WriteAsync(context);
            return;
        }

        if (await FetchAsync(context, route, member.DomainId, endpoint.Path) is not { } body)
        {
            await OpenAiError.UpstreamError.WriteAsync(context);
            return;
        }

        using (body)
        {
            var permitted = published.Zip(allowed).Where(static pair => pair.Second.IsAllowed).Select(static pair => pair.First);
            await WriteAsync(context, body.RootElement, endpoint == InferenceEndpoints.OllamaVersion ? null : permitted);
        }
    }

    /// <param name="context">The request.</param>
    /// <param name="body">The model server's response.</param>
    /// <param name="permitted">The models that the caller may use; null for the version.</param>
    private static async Task WriteAsync(HttpContext context, JsonElement body, IEnumerable<PublishedModel>? permitted)
    {
        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        if (permitted is null)
        {
            json.WriteString("version", body.Member("version") is { ValueKind: JsonValueKind.String } version ? version.GetString() : null);
        }
        else
        {
            Write(body, json, permitted);
        }

        json.WriteEndObject();
    }

    private static void Write(JsonElement body, Utf8JsonWriter json, IEnumerable<PublishedModel> permitted)
    {
        var byId = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var model in body.Member("models") is { ValueKind: JsonValueKind.Array } models ? models.EnumerateArray() : default)
        {
            if (model.ValueKind == JsonValueKind.Object && model.Member("name") is { ValueKind: JsonValueKind.String } name && name.GetString() is { } id)
            {
                byId.TryAdd(id, model);
            }
        }

        json.WriteStartArray("models");
        foreach (var published in permitted)
        {
            if (byId.TryGetValue(published.Model.Id, out var model))
            {
                Write(json, published.Id, model);
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

    /// <returns>Null if the model server returned no valid response.</returns>
    private async Task<JsonDocument?> FetchAsync(HttpContext context, Route route, Guid domain, string path)
    {
        try
        {
            var channel = await backends.GetAsync(route, domain, context.RequestAborted);
            context.SetAttestationResult(channel.Verdict);
            using var response = await channel.GetAsync(route.PathOf(path), context.RequestAborted);
            if (response.Status != StatusCodes.Status200OK)
            {
                return null;
            }

            // JsonDocument skips a byte order mark only in a stream.
            var document = await JsonDocument.ParseAsync(await response.ReadToEndAsync(MaxBytes), cancellationToken: context.RequestAborted);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException or JsonException)
        {
            // The caller writes the error.
        }

        return null;
    }
}
