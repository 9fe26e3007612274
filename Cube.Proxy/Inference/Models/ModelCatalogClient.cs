using System.Text.Json;
using Cube.Attestation.Atls;
using Cube.Inference;
using Cube.Inference.Errors;
using Cube.Inference.Models;
using Cube.Inference.Translation;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Connections;
using Cube.Proxy.Authorization;
using Cube.Proxy.Caching;
using Cube.Proxy.Configuration;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Inference.Models;

/// <summary>Gets the models of model servers. The result of each route is cached for ten seconds.</summary>
internal sealed class ModelCatalogClient(BackendConnectionProvider backends, ProxyConfigurationProvider configuration, TimeProvider time)
{
    private const int MaxListBytes = 1 << 20;
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(10);

    /// <summary>Policies of the domain and the route can exclude machines, so they are part of the key.</summary>
    private readonly ResultCache<(Guid Route, long Revision, string Policies)> _catalogs = new(time, TimeSpan.FromSeconds(10));

    /// <returns>The models of the route's model servers; null if an error has been written to the response.</returns>
    public async ValueTask<ModelCatalog?> FindAsync(HttpContext context, Route route)
    {
        try
        {
            var catalog = await FindAsync(route, DomainOf(context), context.RequestAborted);
            context.SetAttestationResult(catalog.Verdict);
            return catalog;
        }
        catch (AgentException exception)
        {
            await exception.Error.WriteAsync(context);
            return null;
        }
    }

    /// <summary>Combines the models of all routes. Routes whose model servers do not respond are omitted; if none responds, the first error is written.</summary>
    /// <returns>Null if an error has been written to the response.</returns>
    public async ValueTask<ModelCatalog?> FindAllAsync(HttpContext context)
    {
        var own = context.Features.GetRequiredFeature<Route>();
        var others = configuration.Current.Routes.All.Where(route => route.Definition.TargetUrl != own.Definition.TargetUrl).DistinctBy(static route => route.Definition.TargetUrl).ToList();
        if (others.Count == 0)
        {
            return await FindAsync(context, own);
        }

        var (catalogs, failure) = (new List<ModelCatalog>(), (OpenAiError?)null);
        foreach (var route in others.Prepend(own))
        {
            try
            {
                catalogs.Add(await FindAsync(route, DomainOf(context), context.RequestAborted));
            }
            catch (AgentException exception)
            {
                failure ??= exception.Error;
            }
        }

        if (catalogs is not [var first, ..])
        {
            await (failure ?? OpenAiError.UpstreamError).WriteAsync(context);
            return null;
        }

        context.SetAttestationResult(first.Verdict);
        return catalogs.Count == 1 ? first : new ModelCatalog([.. catalogs.SelectMany(static catalog => catalog.Models).DistinctBy(static model => model.Id)], first.Backend, first.Verdict);
    }

    /// <summary>Removes the cached models after a change.</summary>
    public void Invalidate() => _catalogs.Clear();

    private static Guid DomainOf(HttpContext context) => context.Features.GetRequiredFeature<DomainMember>().DomainId;

    private ValueTask<ModelCatalog> FindAsync(Route route, Guid domain, CancellationToken ct) => _catalogs.GetAsync(
        (route.Id, route.Revision, configuration.Current.PoliciesFor(domain, route.Id).Key),
        (Client: this, Route: route, Domain: domain),
        static (state, ct) => state.Client.FetchAsync(state.Route, state.Domain, ct),
        ct);

    private async Task<ModelCatalog> FetchAsync(Route route, Guid domain, CancellationToken ct)
    {
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
            timeout.CancelAfter(_timeout);
            var channel = await backends.GetAsync(route, domain, timeout.Token);
            using var response = await channel.GetAsync(route.PathOf("/v1/models"), timeout.Token);
            if (response.Status != StatusCodes.Status200OK)
            {
                var error = await AgentErrorTranslator.TranslateAsync(response, default, ClientRequest.DefaultTokenLimitName);
                throw new AgentException(error.Status >= 500 ? error : OpenAiError.UpstreamError);
            }

            using var body = await JsonDocument.ParseAsync(await response.ReadToEndAsync(MaxListBytes), cancellationToken: timeout.Token);
            var backend = response.Find(AgentHeaders.Backend) is { } name ? BackendProtocols.Find(name) : null;
            return backend is not null
                ? new ModelCatalog([.. Model.ReadList(body.RootElement).DistinctBy(static model => model.Id)], backend, channel.Verdict)
                : throw new AgentException(OpenAiError.UpstreamError);
        }
        catch (Exception exception) when (AttestationException.Find(exception) is { } rejection)
        {
            throw new AgentException(AttestationErrorTranslator.Translate(rejection));
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException or JsonException or InvalidOperationException
            || (exception is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new AgentException(exception is OperationCanceledException ? OpenAiError.UpstreamTimeout : OpenAiError.UpstreamError);
        }
    }

    /// <summary>The model server returned no list. It is an exception so that the cache does not store the error.</summary>
    private sealed class AgentException(OpenAiError error) : Exception(error.Code)
    {
        public OpenAiError Error => error;
    }
}
