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
/// Accepts only a model that the domain publishes and that the caller may use. A missing model and one that the caller may not use get the same error. Sets <see cref="ResolvedModel"/>.
/// </summary>
internal sealed class ModelMiddleware(RequestDelegate next, ModelCatalogClient models, ProxyConfigurationProvider configuration, Permissions permissions)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetForwardedEndpoint();
        var name = context.Features.GetRequiredFeature<InferenceRequest>().Client.Model;
        if (endpoint.Permission is not { } action)
        {
            // Administrators of the platform name models as the model server does; changes are an API of Ollama's.
            context.Features.Set(new ResolvedModel(name, Cube.Inference.BackendProtocols.Ollama));
            await next(context);
            return;
        }

        if (await models.FindAsync(context, context.Features.GetRequiredFeature<Route>()) is not { } catalog)
        {
            return;
        }

        var member = context.Features.GetRequiredFeature<DomainMember>();
        var published = catalog.Resolve(name, configuration.Current.FindCatalog(member.DomainId));
        var access = await permissions.FindAsync(member, action, published?.Id ?? name, context.Features.GetRequiredFeature<Access>(), context.RequestAborted);
        if (published is null || !access.IsAllowed)
        {
            // The owner of a token may know its scope; a member may not learn what its role lacks.
            await (access.ByToken ? OpenAiError.ModelNotFound : OpenAiError.InsufficientPermissions).WriteAsync(context);
            return;
        }

        context.Features.Set(new ResolvedModel(published.Value.Model.Id, catalog.Backend));
        await next(context);
    }
}
