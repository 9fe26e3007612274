using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Cube.Attestation.Atls;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Backends;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Cube.Proxy.Forwarding;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Caching.Hybrid;

namespace Cube.Proxy.Models;

/// <summary>
/// The models that the agent's model server has, asked at most every ten seconds. Clients see exactly four members of each:
/// what else a server tells, such as the path of the weights, stays inside.
/// </summary>
internal sealed class ModelCatalogue(AttestedBackends backends, PoliciesInForce policies, Permissions permissions, HybridCache cache)
{
    private const int MaxListBytes = 1 << 20;

    private static readonly HybridCacheEntryOptions Age = new()
    {
        Expiration = TimeSpan.FromSeconds(10),
        LocalCacheExpiration = TimeSpan.FromSeconds(10),
        Flags = HybridCacheEntryFlags.DisableDistributedCache,
    };

    /// <summary>Those of the models that the caller may use.</summary>
    public async Task WriteListAsync(HttpContext context)
    {
        if (await FindAllAsync(context) is not { } list)
        {
            return;
        }

        var request = DomainRequest.Of(context);
        var access = await permissions.FindAsync(
            request.Caller!, request.DomainId, request.Endpoint!.Action, list.Ids, request.Access!, context.RequestAborted);
        if (list.Ids.Count > 0 && access.All(static model => !model.ByToken))
        {
            await OpenAiError.InsufficientPermissions.WriteAsync(context);
            return;
        }

        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        foreach (var (model, _) in list.Models.Zip(access).Where(static pair => pair.Second.IsAllowed))
        {
            Write(json, model);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>One that is not there and one that the caller may not use are answered alike.</summary>
    public async Task WriteOneAsync(HttpContext context, string id)
    {
        if (await FindAllAsync(context) is not { } list)
        {
            return;
        }

        var request = DomainRequest.Of(context);
        var access = await permissions.FindAsync(request.Caller!, request.DomainId, request.Endpoint!.Action, id, request.Access!, context.RequestAborted);
        if (!access.ByToken)
        {
            await OpenAiError.InsufficientPermissions.WriteAsync(context);
            return;
        }

        if (!access.ByRole || list.Models.FirstOrDefault(model => model.Id == id) is not { } found)
        {
            await OpenAiError.ModelNotFound.WriteAsync(context);
            return;
        }

        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        Write(json, found);
    }

    /// <returns>Null where the client has got an error already.</returns>
    public async ValueTask<ModelList?> FindAllAsync(HttpContext context)
    {
        try
        {
            var domain = DomainRequest.Of(context).DomainId;
            var list = await cache.GetOrCreateAsync(
                // Domains with a policy of their own may have other machines, or none.
                $"models/{policies.Current.Of(domain).Key}",
                (Catalogue: this, Domain: domain, Activity.Current),
                static async (state, ct) =>
                {
                    Activity.Current = state.Current;
                    return await state.Catalogue.AskAsync(state.Domain, ct);
                },
                Age,
                cancellationToken: context.RequestAborted);
            context.Describe(list.Verdict);
            return list;
        }
        catch (AgentException exception)
        {
            await exception.Error.WriteAsync(context);
            return null;
        }
    }

    private async Task<ModelList> AskAsync(Guid domain, CancellationToken ct)
    {
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
            timeout.CancelAfter(TimeSpan.FromSeconds(10));
            var channel = await backends.GetAsync(domain, timeout.Token);
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(channel.Address, "/v1/models")) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using var response = await channel.Invoker.SendAsync(request, timeout.Token);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                var error = await AgentErrors.TranslateAsync(response, timeout.Token);
                throw new AgentException(error.Status >= 500 ? error : OpenAiError.UpstreamError);
            }

            await response.Content.LoadIntoBufferAsync(MaxListBytes, timeout.Token);
            using var body = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(timeout.Token), cancellationToken: timeout.Token);
            return new ModelList([.. Read(body.RootElement).DistinctBy(static model => model.Id)], channel.Verdict);
        }
        catch (Exception exception) when (AttestationException.In(exception) is { } refused)
        {
            throw new AgentException(AttestationErrors.Explain(refused));
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException or InvalidOperationException
            || (exception is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new AgentException(exception is OperationCanceledException ? OpenAiError.UpstreamTimeout : OpenAiError.UpstreamError);
        }
    }

    /// <summary>Ollama says <c>data: null</c> where it has none.</summary>
    private static IEnumerable<Model> Read(JsonElement body)
    {
        if (!body.TryGetProperty("data", out var data) || data.ValueKind is not JsonValueKind.Array)
        {
            yield break;
        }

        foreach (var item in data.EnumerateArray())
        {
            if (item.TryGetProperty("id", out var id) && id.GetString() is { Length: > 0 } text)
            {
                var created = item.TryGetProperty("created", out var time) && time.ValueKind == JsonValueKind.Number && time.TryGetInt64(out var seconds) ? seconds : 0;
                var owner = item.TryGetProperty("owned_by", out var by) && by.ValueKind == JsonValueKind.String ? by.GetString()! : "library";
                yield return new Model(text, created, owner);
            }
        }
    }

    private static void Write(Utf8JsonWriter json, Model model)
    {
        json.WriteStartObject();
        json.WriteString("id", model.Id);
        json.WriteString("object", "model");
        json.WriteNumber("created", model.Created);
        json.WriteString("owned_by", model.OwnedBy);
        json.WriteEndObject();
    }

    /// <summary>No list was to be had. Thrown so that the cache keeps nothing.</summary>
    private sealed class AgentException(OpenAiError error) : Exception(error.Code)
    {
        public OpenAiError Error => error;
    }
}
