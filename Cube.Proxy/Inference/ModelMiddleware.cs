using Cube.Inference;
using Cube.Inference.Errors;
using Cube.Inference.Translation;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.Inference.Models;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Inference;

/// <summary>
/// Rejects a model that the domain does not publish, and one that the caller may not use, with the same error. Sets <see cref="ResolvedModel"/>.
/// </summary>
internal sealed class ModelMiddleware(RequestDelegate next, ModelCatalogClient models, ProxyConfigurationProvider configuration, Permissions permissions)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetForwardedEndpoint();
        var name = context.Features.GetRequiredFeature<InferenceRequest>().Client.Model;
        if (endpoint.Permission is not { } action)
        {
            // Platform administrators use the names of the model server. Only Ollama's API has endpoints that change models.
            context.Features.Set(new ResolvedModel(name, BackendProtocols.Ollama));
            await next(context);
            return;
        }

        if (await models.FindAsync(context, context.Features.GetRequiredFeature<Route>()) is not { } catalog)
        {
            return;
        }

        var member = context.Features.GetRequiredFeature<DomainMember>();
        var published = catalog.Resolve(name, configuration.Current.FindCatalog(member.DomainId));
        var general = context.Features.GetRequiredFeature<Access>();
        // Results for names that a client made up are not cached.
        var access = published is { } known
            ? await permissions.FindAsync(member, action, known.Id, general, context.RequestAborted)
            : await permissions.FindUncachedAsync(member, action, name, general, context.RequestAborted);
        if (published is null || !access.IsAllowed)
        {
            // A caller may learn that the scopes of its token exclude the model, but not that its role does.
            await (access.ByToken ? OpenAiError.ModelNotFound : OpenAiError.InsufficientPermissions).WriteAsync(context);
            return;
        }

        context.Features.Set(new ResolvedModel(published.Value.Model.Id, catalog.Backend));
        await next(context);
    }
}
