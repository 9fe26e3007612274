using Microsoft.Extensions.Options;

namespace Cube.Identity.Mail;

internal static class MailExtensions
{
    public static WebApplicationBuilder AddMail(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptionsWithValidateOnStart<MailOptions, MailOptionsValidator>().BindConfiguration(MailOptions.Section);
        services.AddSingleton<IValidateOptions<MailOptions>, MailOptionsCustomValidator>();
        services.AddSingleton<MailSender>().AddSingleton<MailTokenStore>().AddSingleton<MailQueue>();
        services.AddHostedService(static provider => provider.GetRequiredService<MailQueue>());
        return builder;
    }
}
