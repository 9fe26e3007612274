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
using Cube.Proxy.OpenAi;
using Cube.Proxy.OpenAi.Requests;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Caching.Hybrid;

namespace Cube.Proxy.Models;

/// <summary>
/// The models that the agent's model server has, asked at most every ten seconds. Clients see exactly four members of each:
/// what else a server tells, such as the path of the weights, stays inside.
/// </summary>
internal sealed class ServedModels(AttestedBackends backends, PoliciesInForce policies, Permissions permissions, HybridCache cache)
{
    private const int MaxListBytes = 1 << 20;
    private static readonly string[] _tag = ["models"];

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
        var offered = list.Offered(policies.Current.CatalogueOf(request.DomainId)).ToList();
        var access = await permissions.FindAsync(
            request.Caller!, request.DomainId, request.Endpoint!.Action, [.. offered.Select(static offer => offer.Id)], request.Access!, context.RequestAborted);
        if (!request.Access!.Reaches(access))
        {
            await OpenAiError.InsufficientPermissions.WriteAsync(context);
            return;
        }

        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        foreach (var (offer, _) in offered.Zip(access).Where(static pair => pair.Second.IsAllowed))
        {
            Write(json, offer);
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

        var found = list.Offered(policies.Current.CatalogueOf(request.DomainId)).FirstOrDefault(offer => offer.Id == id);
        if (!access.ByRole || found.Model is null)
        {
            await OpenAiError.ModelNotFound.WriteAsync(context);
            return;
        }

        context.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        Write(json, found);
    }

    /// <returns>Null where the client has got an error already.</returns>
    public async ValueTask<ModelList?> FindAsync(HttpContext context, Route route)
    {
        try
        {
            var list = await FindAsync(route, DomainRequest.Of(context).DomainId, context.RequestAborted);
            context.Describe(list.Verdict);
            return list;
        }
        catch (AgentException exception)
        {
            await exception.Error.WriteAsync(context);
            return null;
        }
    }

    /// <summary>What all routes together lead to; a route whose machines do not answer adds nothing, and only where none answers that is the answer.</summary>
    /// <returns>Null where the client has got an error already.</returns>
    private async ValueTask<ModelList?> FindAllAsync(HttpContext context)
    {
        var own = DomainRequest.Of(context).Route!;
        var others = policies.Current.Routes.All.Where(route => route.Definition.TargetUrl != own.Definition.TargetUrl).DistinctBy(static route => route.Definition.TargetUrl).ToList();
        if (others.Count == 0)
        {
            return await FindAsync(context, own);
        }

        var (lists, failure) = (new List<ModelList>(), (OpenAiError?)null);
        foreach (var route in others.Prepend(own))
        {
            try
            {
                lists.Add(await FindAsync(route, DomainRequest.Of(context).DomainId, context.RequestAborted));
            }
            catch (AgentException exception)
            {
                failure ??= exception.Error;
            }
        }

        if (lists is not [var first, ..])
        {
            await failure!.WriteAsync(context);
            return null;
        }

        context.Describe(first.Verdict);
        return lists.Count == 1 ? first : new ModelList([.. lists.SelectMany(static list => list.Models).DistinctBy(static model => model.Id)], first.Kind, first.Verdict);
    }

    private ValueTask<ModelList> FindAsync(Route route, Guid domain, CancellationToken ct) => cache.GetOrCreateAsync(
        // Domains and routes with a policy of their own may have other machines, or none.
        $"models/{route.Id}#{route.Revision}/{policies.Current.Of(domain, route.Id).Key}",
        (Catalogue: this, Route: route, Domain: domain, Activity.Current),
        static async (state, ct) =>
        {
            Activity.Current = state.Current;
            return await state.Catalogue.AskAsync(state.Route, state.Domain, ct);
        },
        Age,
        _tag,
        ct);

    /// <summary>Models have changed: the next question goes to the model servers.</summary>
    public ValueTask ForgetAsync() => cache.RemoveByTagAsync(_tag[0]);

    private async Task<ModelList> AskAsync(Route route, Guid domain, CancellationToken ct)
    {
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
            timeout.CancelAfter(TimeSpan.FromSeconds(10));
            var channel = await backends.GetAsync(route, domain, timeout.Token);
            using var request = channel.Get(route.PathOf("/v1/models"));
            using var response = await channel.Invoker.SendAsync(request, timeout.Token);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                var error = await AgentErrors.TranslateAsync(response, default, ClientRequest.UsualLimitName, timeout.Token);
                throw new AgentException(error.Status >= 500 ? error : OpenAiError.UpstreamError);
            }

            await response.Content.LoadIntoBufferAsync(MaxListBytes, timeout.Token);
            using var body = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(timeout.Token), cancellationToken: timeout.Token);
            var kind = response.Headers.TryGetValues(AgentHeaders.Backend, out var names) ? BackendKinds.Parse(names.First()) : null;
            return kind is { } known
                ? new ModelList([.. Read(body.RootElement).DistinctBy(static model => model.Id)], known, channel.Verdict)
                : throw new AgentException(OpenAiError.UpstreamError);
        }
        catch (Exception exception) when (AttestationException.Find(exception) is { } refused)
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

    private static void Write(Utf8JsonWriter json, Offer offer)
    {
        json.WriteStartObject();
        json.WriteString("id", offer.Id);
        json.WriteString("object", "model");
        json.WriteNumber("created", offer.Model.Created);
        json.WriteString("owned_by", offer.Model.OwnedBy);
        json.WriteEndObject();
    }

    /// <summary>No list was to be had. Thrown so that the cache keeps nothing.</summary>
    private sealed class AgentException(OpenAiError error) : Exception(error.Code)
    {
        public OpenAiError Error => error;
    }
}
